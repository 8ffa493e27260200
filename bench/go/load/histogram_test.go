package main

import "testing"

func TestBuckets(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 127, 128, 255, 256, 257, 511, 512, 1000, 1 << 20, 1<<20 + 1<<14, 1 << 40, 1<<63 - 1} {
		i := bucket(v)
		if i < last || i >= len(histogram{}.counts) {
			t.Errorf("bucket(%d) = %d after %d", v, i, last)
		}
		last = i
		if u := upper(i); uint64(u) < v || float64(uint64(u)-v) > float64(v)/histStep {
			t.Errorf("upper(bucket(%d)) = %d", v, u)
		}
		if bucket(uint64(upper(i))) != i {
			t.Errorf("the greatest value of bucket %d is in bucket %d", i, bucket(uint64(upper(i))))
		}
	}
}

func TestQuantile(t *testing.T) {
	var h histogram
	if h.quantile(.5) != 0 {
		t.Error("a quantile of nothing")
	}
	for i := range int64(1000) {
		h.add((i + 1) * 1000)
	}
	for _, c := range []struct {
		q    float64
		want int64
	}{{.5, 500_000}, {.99, 990_000}, {.999, 999_000}, {1, 1_000_000}} {
		if got := h.quantile(c.q); got < c.want || got > c.want+c.want/histStep {
			t.Errorf("quantile(%v) = %d, want %d", c.q, got, c.want)
		}
	}
}
