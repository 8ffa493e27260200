package serve

import (
	"context"

	"github.com/covetpy/covet/bridge"
	"github.com/covetpy/covet/internal/worker"
)

// Routes lists what an application serves.
func Routes(ctx context.Context, target, dir, python string) (*worker.RouteTable, error) {
	s, err := bridge.New(bridge.Config{Spec: worker.Spec{Target: target, Dir: dir, Python: python}}).Spec()
	if err != nil {
		return nil, err
	}
	return worker.Describe(ctx, s)
}
