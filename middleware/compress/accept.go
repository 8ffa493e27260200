package compress

import (
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// coding is a content coding (RFC 9110 section 8.4.1) that this package can produce.
type coding uint8

const (
	identity coding = iota
	gzipped
	brotlied
	zstded
	codings
)

// name is the coding's name in header fields, "" for identity.
func (k coding) name() string {
	switch k {
	case gzipped:
		return "gzip"
	case brotlied:
		return "br"
	case zstded:
		return "zstd"
	}
	return ""
}

func codingNamed(s string) (coding, bool) {
	for k := gzipped; k < codings; k++ {
		if k.name() == s {
			return k, true
		}
	}
	return identity, false
}

// choice is what a client and a route have agreed on before the response is known: a coding, and flags.
type choice uint8

const (
	// insists: the client refuses the identity coding, so that even a small body is coded.
	insists choice = 1 << 6
	// never: this route, or a link of the chain further in, has settled the matter.
	never choice = 1 << 7
)

func (h choice) coding() coding { return coding(h &^ (insists | never)) }

// unnamed is the weight of a coding that a field does not name.
const unnamed = -1

// weights are the quality values of one request, in thousandths: 0 refuses, unnamed stands for "not said".
type weights struct {
	of   [codings]int16
	star int16
	any  bool // there is such a field
}

func (w *weights) reset() {
	for i := range w.of {
		w.of[i] = unnamed
	}
	w.star, w.any = unnamed, false
}

// read takes every Accept-Encoding line of r: several lines are one list (RFC 9110 section 5.3).
func (w *weights) read(r *message.Request) {
	first := r.HotFields[message.HotAcceptEncoding]
	if first < 0 {
		return
	}
	for i := int(first); i < len(r.Fields); i++ {
		f := &r.Fields[i]
		if i == int(first) || ascii.EqualFold(f.Name.In(r.Head), "accept-encoding") {
			w.line(f.Value.In(r.Head))
		}
	}
}

// line takes one field value:
//
//	Accept-Encoding = #( ( content-coding / "identity" / "*" ) [ OWS ";" OWS "q=" qvalue ] )   RFC 9110 section 12.5.3
//
// Elements that are malformed, or name codings that are not ours, count for nothing. Of an element that comes twice
// the last counts.
func (w *weights) line(v []byte) {
	w.any = true
	for at := 0; at < len(v); {
		end := at
		for end < len(v) && v[end] != ',' {
			end++
		}
		w.element(v[at:end])
		at = end + 1
	}
}

func (w *weights) element(e []byte) {
	e = trim(e)
	n := 0
	for n < len(e) && ascii.IsTokenByte(e[n]) {
		n++
	}
	name, rest := e[:n], trim(e[n:])
	q := int16(1000)
	if len(rest) > 0 {
		var ok bool
		if q, ok = weight(rest); !ok {
			return
		}
	}
	switch {
	case ascii.EqualFold(name, "zstd"):
		w.of[zstded] = q
	case ascii.EqualFold(name, "br"):
		w.of[brotlied] = q
	case ascii.EqualFold(name, "gzip"), ascii.EqualFold(name, "x-gzip"): // RFC 9110 section 8.4.1.3
		w.of[gzipped] = q
	case ascii.EqualFold(name, "identity"):
		w.of[identity] = q
	case string(name) == "*":
		w.star = q
	}
}

// weight reads ";q=0.5" with optional white space (RFC 9110 section 12.4.2).
func weight(b []byte) (q int16, ok bool) {
	if b[0] != ';' {
		return 0, false
	}
	b = trim(b[1:])
	if len(b) < 3 || ascii.Lower(b[0]) != 'q' || b[1] != '=' || b[2] != '0' && b[2] != '1' {
		return 0, false
	}
	q = int16(b[2]-'0') * 1000
	switch digits := b[3:]; {
	case len(digits) == 0:
		return q, true
	case digits[0] != '.' || len(digits) > 4:
		return 0, false
	default:
		unit := int16(100)
		for _, c := range digits[1:] {
			if c-'0' > 9 {
				return 0, false
			}
			q += int16(c-'0') * unit
			unit /= 10
		}
		return q, q <= 1000
	}
}

// trim cuts optional white space (RFC 9110 section 5.6.3) off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// choose picks the coding of the greatest weight, of several that of the earliest place in prefer.
func (w *weights) choose(prefer []coding) choice {
	if !w.any {
		return choice(identity) // RFC 9110 section 12.5.3 allows any coding then; clients that say nothing know none
	}
	plain := w.of[identity]
	if plain == unnamed && w.star == 0 {
		plain = 0 // "*;q=0" refuses identity, too, unless it is named
	}
	best, most := identity, int16(0)
	for _, k := range prefer {
		q := w.of[k]
		if q == unnamed {
			q = w.star // still unnamed where there is no "*": what is not listed is not acceptable
		}
		if q > most {
			best, most = k, q
		}
	}
	if plain > most {
		return choice(identity)
	}
	h := choice(best)
	if plain == 0 && best != identity {
		h |= insists
	}
	return h
}
