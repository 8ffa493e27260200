package worker

import "testing"

func TestMoves(t *testing.T) {
	all := []State{Starting, Ready, Busy, Draining, Dead}
	allowed := map[[2]State]bool{
		{Starting, Ready}: true, {Starting, Draining}: true, {Starting, Dead}: true,
		{Ready, Busy}: true, {Ready, Draining}: true, {Ready, Dead}: true,
		{Busy, Ready}: true, {Busy, Draining}: true, {Busy, Dead}: true,
		{Draining, Dead}: true,
	}
	for _, from := range all {
		for _, to := range all {
			var m machine
			m.state.Store(uint32(from))
			ok := m.move(to)
			if ok != allowed[[2]State{from, to}] {
				t.Errorf("%v → %v: %v", from, to, ok)
			}
			want := from
			if ok {
				want = to
			}
			if m.at() != want {
				t.Errorf("%v → %v leaves %v", from, to, m.at())
			}
		}
	}
}
