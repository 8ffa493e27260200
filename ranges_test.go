package covet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		value string
		size  int64
		want  ranged
		list  string // first-last, separated by spaces
	}{
		{"bytes=0-0", 1000, partRange, "0-0"},
		{"bytes=0-499", 1000, partRange, "0-499"},
		{"bytes=500-", 1000, partRange, "500-999"},
		{"bytes=-200", 1000, partRange, "800-999"},
		{"bytes=-2000", 1000, partRange, "0-999"},
		{"bytes=900-2000", 1000, partRange, "900-999"},
		{"BYTES=1-2", 1000, partRange, "1-2"},
		{"bytes=0-99999999999999999999999999", 1000, partRange, "0-999"},
		{"bytes= 1-2 , ,5-6,", 10, partRange, "1-6"},
		{"bytes=0-9,200-209", 1000, partRange, "0-9 200-209"},
		{"bytes=200-209,0-9", 1000, partRange, "200-209 0-9"}, // in the order asked for
		{"bytes=0-9,20-29", 1000, partRange, "0-29"},          // a part's head is longer than the gap
		{"bytes=0-99,50-149", 1000, partRange, "0-149"},
		{"bytes=500-599,0-9,595-610", 1000, partRange, "500-610 0-9"},
		{"bytes=0-9,300-309,5-299", 1000, partRange, "0-309"},
		{"bytes=5000-,0-9", 1000, partRange, "0-9"}, // what is not there is left out
		{"bytes=1000-", 1000, noRange, ""},
		{"bytes=-0", 1000, noRange, ""},
		{"bytes=99999999999999999999999999-", 1000, noRange, ""},
		{"bytes=0-0", 0, noRange, ""},
		{"bytes=-5", 0, wholeRange, ""},
		{"bytes=", 1000, wholeRange, ""},
		{"bytes=,", 1000, wholeRange, ""},
		{"bytes=-", 1000, wholeRange, ""},
		{"bytes=5-4", 1000, wholeRange, ""},
		{"bytes=0-9,5-4", 1000, wholeRange, ""}, // a list is valid as a whole
		{"bytes=a-b", 1000, wholeRange, ""},
		{"bytes=0x1-2", 1000, wholeRange, ""},
		{"bytes=+1-2", 1000, wholeRange, ""},
		{"bytes=1-2-3", 1000, wholeRange, ""},
		{"bytes=1 -2", 1000, wholeRange, ""},
		{"bytes=1- 2", 1000, wholeRange, ""},
		{"bytes =1-2", 1000, wholeRange, ""},
		{"bytes=1;2", 1000, wholeRange, ""},
		{"lines=1-2", 1000, wholeRange, ""},
		{"", 1000, wholeRange, ""},
		{"bytes=0-0,0-0" + strings.Repeat(",0-0", 10000), 1000, wholeRange, ""}, // CVE-2025-62727
		{"bytes=0-" + strings.Repeat(",0-", 60), 1000, partRange, "0-999"},
		{"bytes=" + far(16), 1 << 20, partRange, strings.ReplaceAll(far(16), ",", " ")},
		{"bytes=" + far(17), 1 << 20, wholeRange, ""},
	} {
		list, got := parseRange(nil, []byte(c.value), c.size)
		if got != c.want || spell(list) != c.list {
			t.Errorf("%.40q of %d: %d, %s", c.value, c.size, got, spell(list))
		}
	}
}

// far is n ranges that are far apart.
func far(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%d-%d", i*1000, i*1000+9))
	}
	return strings.Join(list, ",")
}

func spell(list []byteRange) string {
	var s []string
	for _, r := range list {
		s = append(s, fmt.Sprintf("%d-%d", r.off, r.end()-1))
	}
	return strings.Join(s, " ")
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=5-,-3", "bytes=0-9,300-309,5-299", "bytes=,,1-2", "bytes=9999999999999999999-"} {
		f.Add(s, int64(1000))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		list, got := parseRange(nil, []byte(s), size)
		if (got == partRange) != (len(list) > 0) || len(list) > maxRanges {
			t.Fatalf("%q: %d with %d ranges", s, got, len(list))
		}
		var total int64
		slices.SortFunc(list, func(a, b byteRange) int { return int(min(1, max(-1, a.off-b.off))) })
		for i, r := range list {
			if r.off < 0 || r.n <= 0 || r.end() > size || r.n > size {
				t.Fatalf("%q of %d: %s", s, size, spell(list))
			}
			if i > 0 && list[i-1].end() >= r.off {
				t.Fatalf("%q: overlap in %s", s, spell(list))
			}
			total += r.n
		}
		if total > size {
			t.Fatalf("%q: %d of %d bytes", s, total, size)
		}
	})
}
