package multipart

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/covetpy/covet/internal/ascii"
)

// Part is the head of a part.
type Part struct {
	// Name is the name of the field.
	Name string
	// RawFileName is the filename as the client wrote it, which may be a path. It must never be used as one.
	RawFileName string
	// IsFile tells that the part has a filename, be it empty: a form field for a file without one chosen.
	IsFile bool
	// ContentType is the value of Content-Type as it came, or "".
	ContentType string
	// Header are all fields of the head in order, as they came. Names are in lower case.
	Header [][2]string
}

// FileName is the last component of RawFileName, without control characters; "" when nothing remains that could name
// a file. It has no separator of any system and is neither "." nor "..".
func (p *Part) FileName() string {
	name := p.RawFileName[strings.LastIndexAny(p.RawFileName, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
	if strings.Trim(name, ". ") == "" {
		return ""
	}
	return name
}

// parse reads the lines of a head, each of them ended by CRLF.
func (p *Part) parse(head []byte, maxLines int) *Error {
	*p = Part{}
	disposition, encoding := "", ""
	hasDisposition, hasType, hasEncoding := false, false, false
	for lines := 1; len(head) > 0; lines++ {
		if lines > maxLines {
			return limitError(ErrHeadLines, "the head of a part has more than %d lines", maxLines)
		}
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		name, value, found := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		// A folded line begins with white space, which no name does (RFC 5322 section 2.2.3 allows folding, no client
		// uses it). Values have neither controls nor a CR or LF alone, which other parsers might take for a line end.
		if !found || !ascii.IsToken(name) || !ascii.IsValue(value) {
			return formError(ErrHeader, "a part has a malformed header line")
		}
		// RFC 7578 section 4.8: other fields are to be ignored.
		switch lower := strings.ToLower(string(name)); lower {
		case "content-disposition":
			if hasDisposition {
				return formError(ErrDisposition, "a part has two Content-Dispositions")
			}
			disposition, hasDisposition = string(value), true
			p.Header = append(p.Header, [2]string{lower, disposition})
		case "content-type":
			if hasType {
				return formError(ErrHeader, "a part has two Content-Types")
			}
			p.ContentType, hasType = string(value), true
			p.Header = append(p.Header, [2]string{lower, p.ContentType})
		case "content-transfer-encoding":
			if hasEncoding {
				return formError(ErrEncoding, "a part has two Content-Transfer-Encodings")
			}
			encoding, hasEncoding = string(value), true
			p.Header = append(p.Header, [2]string{lower, encoding})
		default:
			p.Header = append(p.Header, [2]string{lower, string(value)})
		}
	}
	// RFC 7578 section 4.7: deprecated, and only the encodings that change nothing can be taken as they are.
	if hasEncoding && !ascii.EqualFold(encoding, "7bit") && !ascii.EqualFold(encoding, "8bit") && !ascii.EqualFold(encoding, "binary") {
		return formError(ErrEncoding, "a part has a Content-Transfer-Encoding")
	}
	if !hasDisposition {
		return formError(ErrDisposition, "a part has no Content-Disposition") // RFC 7578 section 4.2: MUST
	}
	return p.dispose(disposition)
}

// dispose reads Content-Disposition (RFC 7578 section 4.2).
func (p *Part) dispose(value string) *Error {
	kind, params := MediaType(value)
	if !ascii.EqualFold(kind, "form-data") {
		return formError(ErrDisposition, "a part is not form-data")
	}
	hasName := false
	for {
		name, v, rest, ok := nextParam(params)
		if !ok {
			return formError(ErrDisposition, "a Content-Disposition is malformed")
		}
		if name == "" {
			break
		}
		params = rest
		switch {
		case ascii.EqualFold(name, "name"):
			if hasName {
				return formError(ErrDisposition, "a part has two names")
			}
			p.Name, hasName = decodeName(v), true
		case ascii.EqualFold(name, "filename"):
			if p.IsFile {
				return formError(ErrDisposition, "a part has two filenames")
			}
			p.RawFileName, p.IsFile = decodeName(v), true
		}
		// "filename*" is among the others: RFC 7578 section 4.2 forbids it, and what it says could differ from filename.
	}
	if !hasName {
		return formError(ErrName, "a part has no name")
	}
	if !utf8.ValidString(p.Name) || !utf8.ValidString(p.RawFileName) {
		return formError(ErrText, "a name in the form is not UTF-8")
	}
	return nil
}

// nameEscapes is immutable. WHATWG HTML section 4.10.21.8: these three are escaped in names, and "%" itself is not,
// so nothing else may be decoded.
var nameEscapes = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0d", "\r", "%0A", "\n", "%0a", "\n")

func decodeName(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return nameEscapes.Replace(s)
}
