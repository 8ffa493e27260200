package main

import "math/bits"

// histogram counts durations in nanoseconds, in buckets that are never wider than 1/128 of their value.
//
//	value   0 … 127        one bucket each
//	        128 … 255      one bucket each
//	        256 … 511      two values a bucket, and so on: 128 buckets an octave
type histogram struct {
	counts [histOctaves * histStep]uint64
	total  uint64
	most   int64
}

const (
	histStep    = 128
	histBits    = 7
	histOctaves = 64 - histBits
)

func (h *histogram) add(ns int64) {
	ns = max(ns, 0)
	h.counts[bucket(uint64(ns))]++
	h.total++
	h.most = max(h.most, ns)
}

func bucket(v uint64) int {
	if v < histStep {
		return int(v)
	}
	e := bits.Len64(v) - histBits - 1
	return e*histStep + int(v>>e)
}

// upper is the greatest value of a bucket.
func upper(i int) int64 {
	if i < 2*histStep {
		return int64(i)
	}
	e := i/histStep - 1
	return int64(i-e*histStep+1)<<e - 1
}

// quantile is a value that the share q of all durations does not exceed; 0 when there are none.
func (h *histogram) quantile(q float64) int64 {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q*float64(h.total) + 0.999999)
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range &h.counts {
		if seen += n; seen >= rank {
			return min(upper(i), h.most)
		}
	}
	return h.most
}
