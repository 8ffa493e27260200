//go:build linux

package epollloop_test

import (
	"testing"

	"github.com/covetpy/covet/internal/transport/epollloop"
	"github.com/covetpy/covet/internal/transport/transporttest"
)

func TestContract(t *testing.T) { transporttest.Run(t, epollloop.New) }
