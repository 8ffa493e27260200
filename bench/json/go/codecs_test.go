package json_test

import (
	"bytes"
	stdjson "encoding/json"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/encoder"
	expjson "github.com/go-json-experiment/json"
	segjson "github.com/segmentio/encoding/json"
)

// codec is a library as a server would use it: the answer goes to memory that is kept between requests, as far as its
// interface allows, and the text of the request may be overwritten after decoding.
type codec struct {
	name   string
	append func(dst []byte, v any) ([]byte, error)
	decode func(src []byte, v any) error
}

func codecs() []codec {
	std, exp := &bytes.Buffer{}, &bytes.Buffer{}
	sonicAPI := sonic.Config{CopyString: true, ValidateString: true}.Froze()
	return []codec{
		{"encoding", func(_ []byte, v any) ([]byte, error) {
			std.Reset()
			e := stdjson.NewEncoder(std)
			e.SetEscapeHTML(false)
			err := e.Encode(v)
			return std.Bytes(), err
		}, stdjson.Unmarshal},
		{"segmentio", func(dst []byte, v any) ([]byte, error) {
			return segjson.Append(dst[:0], v, 0)
		}, segjson.Unmarshal},
		{"jsonv2", func(_ []byte, v any) ([]byte, error) {
			exp.Reset()
			err := expjson.MarshalWrite(exp, v)
			return exp.Bytes(), err
		}, func(src []byte, v any) error { return expjson.Unmarshal(src, v) }},
		{"sonic", func(dst []byte, v any) ([]byte, error) {
			b := dst[:0]
			err := encoder.EncodeInto(&b, v, 0)
			return b, err
		}, sonicAPI.Unmarshal},
	}
}
