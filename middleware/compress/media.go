package compress

import (
	"bytes"

	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// facts is what matters of a response's fields, found in one pass over them.
type facts struct {
	contentType, etag []byte
	encoded           bool // Content-Encoding names a coding
	identity          bool // Content-Encoding is "identity": the handler's way to opt out
	fixed             bool // Cache-Control: no-transform, or Content-Range
	varies            bool // Vary names Accept-Encoding, or everything
	tied              bool // fields that belong to the uncoded bytes: Accept-Ranges and digests
}

// look reads the fields of r. Names are in lower case and every value is well-formed: Response checks both.
func look(r *message.Response) (f facts) {
	for rest := r.Fields(); len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		line := rest[:end]
		rest = rest[end:]
		colon := bytes.IndexByte(line, ':')
		value := line[colon+2 : len(line)-2]
		switch string(line[:colon]) {
		case "content-type":
			f.contentType = value
		case "content-encoding":
			if ascii.EqualFold(trim(value), "identity") {
				f.identity = true
			} else {
				f.encoded = true
			}
		case "content-range":
			f.fixed = true
		case "cache-control":
			// RFC 9111 section 5.2.2.6: no-transform forbids to change the content.
			f.fixed = f.fixed || listed(value, "no-transform")
		case "vary":
			f.varies = f.varies || listed(value, "accept-encoding") || listed(value, "*")
		case "etag":
			f.etag = value
		case "accept-ranges", "content-md5", "content-digest", "repr-digest", "digest":
			f.tied = true
		}
	}
	return f
}

// listed reports whether a comma-separated list has an element of that lower-case name, whatever its argument.
func listed(list []byte, name string) bool {
	for len(list) > 0 {
		e := list
		if i := bytes.IndexByte(list, ','); i >= 0 {
			e, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		if i := bytes.IndexByte(e, '='); i >= 0 {
			e = e[:i]
		}
		if ascii.EqualFold(trim(e), name) {
			return true
		}
	}
	return false
}

// text lists media types outside text/* that shrink: those without a suffix that tells it.
func text() []string {
	return []string{
		"application/javascript", "application/json", "application/jsonl", "application/ndjson", "application/x-ndjson",
		"application/json-seq", "application/xml", "application/xml-dtd",
		"application/graphql", "application/sql", "application/toml", "application/yaml",
		"application/x-yaml", "application/x-javascript", "application/ecmascript", "application/x-www-form-urlencoded",
		"application/wasm", "application/msgpack", "application/x-msgpack", "application/vnd.msgpack", "application/cbor",
		"application/protobuf", "application/x-protobuf",
		"application/rtf", "application/vnd.ms-fontobject", "font/ttf", "font/otf", "image/bmp",
		"image/x-icon", "image/vnd.microsoft.icon", "model/obj",
	}
}

// types decides by media type.
type types struct {
	exact map[string]bool // read only: safe from every loop
	whole []string        // "text/" stands for text/*
}

// shrinks tells the structured syntaxes (RFC 6839, 8742, 9512) that are worth coding.
func shrinks(suffix []byte) bool {
	return ascii.EqualFold(suffix, "json") || ascii.EqualFold(suffix, "xml") || ascii.EqualFold(suffix, "yaml") ||
		ascii.EqualFold(suffix, "cbor") || ascii.EqualFold(suffix, "json-seq") || ascii.EqualFold(suffix, "wasm")
}

// maxType is longer than any media type that is registered.
const maxType = 127

func newTypes(more []string) types {
	t := types{exact: map[string]bool{}, whole: []string{"text/"}}
	for _, s := range text() {
		t.exact[s] = true
	}
	for _, s := range more {
		b := []byte(s)
		ascii.LowerInPlace(b)
		if p, all := bytes.CutSuffix(b, []byte("/*")); all {
			t.whole = append(t.whole, string(p)+"/")
		} else {
			t.exact[string(b)] = true
		}
	}
	return t
}

// compressible reports whether content of that type is worth coding. A response without a type is not: nobody knows
// what it is.
func (t *types) compressible(number message.ContentType, field []byte) bool {
	switch number {
	case message.ContentJSON, message.ContentText, message.ContentHTML, message.ContentProblem:
		return true
	case message.ContentOctets:
		return t.exact["application/octet-stream"]
	}
	if i := bytes.IndexByte(field, ';'); i >= 0 {
		field = field[:i]
	}
	field = trim(field)
	if len(field) == 0 || len(field) > maxType {
		return false
	}
	var memory [maxType]byte
	media := append(memory[:0], field...)
	ascii.LowerInPlace(media)
	if t.exact[string(media)] {
		return true
	}
	for _, p := range t.whole {
		if len(media) > len(p) && string(media[:len(p)]) == p {
			return true
		}
	}
	if i := bytes.LastIndexByte(media, '+'); i >= 0 {
		return shrinks(media[i+1:])
	}
	return false
}
