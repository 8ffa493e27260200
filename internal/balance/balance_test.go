package balance

import (
	"slices"
	"testing"
)

func open(inFlight ...int) []Load {
	var loads []Load
	for _, n := range inFlight {
		loads = append(loads, Load{Open: true, Awake: true, InFlight: n})
	}
	return loads
}

func TestParse(t *testing.T) {
	for _, s := range []Strategy{LeastLoaded, RoundRobin, PreferAwake} {
		if got, err := Parse(s.String()); err != nil || got != s {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	if s, err := Parse(""); err != nil || s != LeastLoaded {
		t.Error(s, err)
	}
	if _, err := Parse("random"); err == nil {
		t.Error("an unknown strategy was accepted")
	}
}

// TestFairness lets four equal workers finish nothing, then everything: the work must be spread evenly.
func TestFairness(t *testing.T) {
	for _, s := range []Strategy{LeastLoaded, RoundRobin} {
		for _, finish := range []bool{false, true} {
			p := Picker{Strategy: s}
			loads := open(0, 0, 0, 0)
			counts := make([]int, 4)
			for range 4000 {
				at := p.Pick(loads)
				counts[at]++
				if !finish {
					loads[at].InFlight++
				}
			}
			for i, n := range counts {
				if n != 1000 {
					t.Errorf("%v, finishing %v: worker %d got %d of 4000", s, finish, i, n)
				}
			}
		}
	}
}

func TestClosedWorkersGetNothing(t *testing.T) {
	for _, s := range []Strategy{LeastLoaded, RoundRobin, PreferAwake} {
		p := Picker{Strategy: s}
		loads := open(0, 0, 0)
		loads[0].Open, loads[2].Open = false, false
		for range 5 {
			if at := p.Pick(loads); at != 1 {
				t.Errorf("%v picked %d", s, at)
			}
		}
		loads[1].Open = false
		if at := p.Pick(loads); at != -1 {
			t.Errorf("%v picked %d of none", s, at)
		}
		if at := p.Pick(nil); at != -1 {
			t.Errorf("%v picked %d of nothing", s, at)
		}
		if at := p.Pick(open(1)); at != 0 { // fewer workers than before
			t.Errorf("%v picked %d", s, at)
		}
	}
}

func TestLeastLoaded(t *testing.T) {
	p := Picker{}
	if at := p.Pick(open(3, 1, 2, 5)); at != 1 {
		t.Errorf("picked %d", at)
	}
	// A slow worker keeps its three, the others take turns.
	loads := open(3, 0, 0)
	var order []int
	for range 4 {
		order = append(order, p.Pick(loads))
	}
	if !slices.Equal(order, []int{2, 1, 2, 1}) {
		t.Errorf("order %v", order)
	}
}

func TestPreferAwake(t *testing.T) {
	p := Picker{Strategy: PreferAwake}
	late := MaxLag + 1
	for _, step := range []struct {
		name  string
		loads []Load
		want  int
	}{
		{"the first of all", open(0, 0, 0), 0},
		{"the same, though others have less to do", open(9, 0, 0), 0},
		{"the same, though it sleeps", []Load{{Open: true}, {Open: true, Awake: true}, {Open: true, Awake: true}}, 0},
		{"its queue grows: one that is awake", []Load{{Open: true, Awake: true, Lag: late}, {Open: true}, {Open: true, Awake: true, InFlight: 4}}, 2},
		{"stays there", open(0, 0, 9), 2},
		{"all that are awake are late: wake one", []Load{{Open: true, Awake: true, Lag: late}, {Open: true}, {Open: true, Awake: true, Lag: late}}, 1},
		{"all are late: least loaded", []Load{{Open: true, Awake: true, Lag: late, InFlight: 3}, {Open: true, Awake: true, Lag: late, InFlight: 4}, {Open: true, Awake: true, Lag: late, InFlight: 9}}, 0},
		{"the last one is closed", []Load{{}, {Open: true, Awake: true, InFlight: 2}, {Open: true, Awake: true, InFlight: 1}}, 2},
	} {
		if got := p.Pick(step.loads); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	loads := open(1, 2, 3, 4)
	for _, s := range []Strategy{LeastLoaded, RoundRobin, PreferAwake} {
		p := Picker{Strategy: s}
		if n := testing.AllocsPerRun(100, func() { p.Pick(loads) }); n != 0 {
			t.Errorf("%v: %v allocations", s, n)
		}
	}
}
