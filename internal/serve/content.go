package serve

import (
	"github.com/covetpy/covet/middleware/compress"
	"github.com/covetpy/covet/middleware/decompress"
)

// content adds what changes bodies on their way. The link that codes responses is the outermost: it sees the head as
// everyone else has left it.
func (s *instance) content() error {
	c := &s.Config.Content
	if c.Compress {
		level, err := compress.ParseLevel(c.CompressLevel)
		if err != nil {
			return err
		}
		cfg := compress.Config{Codings: c.CompressCodings, Level: level, MinSize: int(c.CompressMinSize), Types: c.CompressTypes}
		if c.CompressMinSize == 0 {
			cfg.MinSize = -1 // where 0 stands for the default
		}
		if err := cfg.Check(); err != nil {
			return err
		}
		s.app.Use(compress.New(cfg))
	}
	if c.Decompress {
		s.app.Use(decompress.New(decompress.Config{MaxBody: unlimited(int64(s.Config.MaxBody))}))
	}
	return nil
}
