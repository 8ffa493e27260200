package serve

import (
	"fmt"

	"github.com/covetpy/covet/bridge"
	"github.com/covetpy/covet/internal/worker"
	"github.com/covetpy/covet/static"
)

// static mounts the directories of the configuration. They stand beside the application's own routes: where a path has
// both, the more exact pattern answers.
func (s *instance) static() error {
	for _, d := range s.Config.Static.Static {
		site := static.New(static.Config{
			Dir: d.Dir, Index: d.Index, Listing: d.Listing, Fallback: d.Fallback, Dotfiles: d.Dotfiles,
			FollowSymlinks: d.FollowSymlinks, NoPrecompressed: d.NoPrecompressed, CacheControl: d.CacheControl, Immutable: d.Immutable,
		})
		if err := site.Check(); err != nil {
			return fmt.Errorf("--static %s=%s: %w", d.Path, d.Dir, err)
		}
		s.app.Mount(d.Path, site)
	}
	return nil
}

// files makes the site of a directory that the Python application has named.
func files(d worker.StaticDir) (bridge.Files, error) {
	site := static.New(static.Config{
		Dir: d.Dir, Index: d.Index, Listing: d.Listing, Fallback: d.Fallback, Dotfiles: d.Dotfiles,
		FollowSymlinks: d.FollowSymlinks, NoPrecompressed: !d.Precompressed, CacheControl: d.CacheControl, Immutable: d.Immutable,
	})
	return site, site.Check()
}
