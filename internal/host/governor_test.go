package host

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGovernorFollowsTheLoad(t *testing.T) {
	for _, c := range []struct {
		name  string
		loops float64
		load  []float64 // of one processor, in each period
		want  []bool
	}{
		{"idle", 1, []float64{0, 0.1, 0.3}, []bool{false, false, false}},
		{"saturated", 1, []float64{0.9, 0.95, 1.1}, []bool{true, true, true}},
		{"up and down", 1, []float64{0.5, 0.7, 0.5, 0.4, 0.3, 0.5, 0.61}, []bool{false, true, true, true, false, false, true}},
		{"of two loops", 2, []float64{0.9, 1.1, 1.3, 0.8, 0.6}, []bool{false, false, true, true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &Governor{loops: c.loops, set: func(bool) error { return nil }}
			var got []bool
			for _, l := range c.load {
				g.look(time.Duration(l*float64(time.Second)), time.Second)
				got = append(got, g.batch)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("batch %v, want %v", got, c.want)
			}
		})
	}
}

func TestGovernorChangesOnlyWhatChanges(t *testing.T) {
	var calls []bool
	g := &Governor{loops: 1, set: func(b bool) error { calls = append(calls, b); return nil }}
	for _, l := range []time.Duration{0, 0, time.Second, time.Second, 0, 0} {
		g.look(l, time.Second)
	}
	if !slices.Equal(calls, []bool{true, false}) {
		t.Errorf("set to %v", calls)
	}
}

func TestGovernorTriesAgainAfterARefusal(t *testing.T) {
	refuse := true
	g := &Governor{loops: 1, set: func(bool) error {
		if refuse {
			return errors.New("not now")
		}
		return nil
	}}
	g.look(time.Second, time.Second)
	if g.batch {
		t.Error("a refused policy is taken for granted")
	}
	refuse = false
	g.look(time.Second, time.Second)
	if !g.batch {
		t.Error("it was not tried again")
	}
}

func TestGovernorRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		used := time.Duration(0)
		var busy, batch atomic.Bool
		busy.Store(true)
		g := &Governor{
			loops: 1, quit: make(chan struct{}),
			used: func() (time.Duration, bool) {
				if busy.Load() {
					used += governPeriod
				}
				return used, true
			},
			set: func(b bool) error { batch.Store(b); return nil },
		}
		g.done.Go(g.run)
		time.Sleep(3 * governPeriod)
		synctest.Wait()
		if !batch.Load() {
			t.Error("a saturated process has the ordinary policy")
		}
		busy.Store(false)
		time.Sleep(3 * governPeriod)
		synctest.Wait()
		if batch.Load() {
			t.Error("an idle process has the batch policy")
		}
		g.Stop()
	})
}
