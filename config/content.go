package config

// Content says what the engine does with bodies on their way: see docs/guide/compression.md. Both are off unless asked
// for, as in the servers that people come from.
type Content struct {
	Compress        bool     `help:"Code response bodies as the client accepts it." default:"false" env:"COVET_COMPRESS"`
	CompressCodings []string `help:"Codings to offer, the preferred first." default:"zstd,br,gzip" env:"COVET_COMPRESS_CODINGS" placeholder:"CODING"`
	CompressLevel   string   `help:"Effort: fast, balanced or best." default:"fast" enum:"fast,balanced,best" env:"COVET_COMPRESS_LEVEL"`
	CompressMinSize Size     `help:"Smallest body to code." default:"1K" env:"COVET_COMPRESS_MIN_SIZE"`
	CompressTypes   []string `help:"Media types to code beside text, JSON, XML and their like: type/subtype or type/*." env:"COVET_COMPRESS_TYPES" placeholder:"TYPE"`
	Decompress      bool     `help:"Decode request bodies with a Content-Encoding of gzip, deflate, br or zstd; --max-body counts decoded bytes, too." default:"false" env:"COVET_DECOMPRESS"`
}
