//go:build linux && (amd64 || arm64)

package ringloop

import "testing"

func TestUserData(t *testing.T) {
	for _, k := range []kind{kindNone, kindRecv, kindBell} {
		for _, gen := range []uint32{0, 1, generations - 1} {
			for _, index := range []uint32{0, 1, 1<<32 - 1} {
				u := userData(pack(k, gen, index))
				if u.kind() != k || u.gen() != gen || u.index() != index {
					t.Errorf("pack(%d, %d, %d) = %#x", k, gen, index, uint64(u))
				}
			}
		}
	}
}

func TestTableForgetsOldGenerations(t *testing.T) {
	var tb table[int]
	one, two := 1, 2
	i, gen := tb.add(&one)
	old := userData(pack(kindRecv, gen, i))
	if tb.get(old) != &one {
		t.Fatal("get of what was added")
	}
	tb.remove(i)
	j, gen2 := tb.add(&two)
	if j != i || tb.get(old) != nil || tb.get(userData(pack(kindRecv, gen2, j))) != &two {
		t.Error("an old name reaches the new owner")
	}
	tb.slots[i].gen = generations - 1
	tb.remove(i)
	if tb.slots[i].gen != 0 {
		t.Error("the generation does not wrap")
	}
	if tb.get(userData(pack(kindRecv, 0, 99))) != nil {
		t.Error("a place that never was")
	}
}
