package conformance

import (
	"fmt"
	"strconv"
	"strings"
)

// expectation is one response, and the request that the handler saw. Its keys, all optional:
//
//	status=204               200 where it is not given
//	interim=100              the interim responses before it, in their order: 100,103
//	method= path= target= query= authority= version= body= trailer=
//	                         what the handler saw; trailer is "name: value; " for each field, names in lower case
//	f:name=                  the value of the first field of that name as the handler saw it; "-" for none
//	calls=0                  this response does not come from the handler
//	r:name=                  the value of a response field; "-" for none, "*" for any value
//	response=                the body of the response
//	framing=                 how the response's body is delimited: length, chunked, close or none
type expectation struct {
	text string
	keys map[string]string
}

func parseExpectation(s, value string) (expectation, error) {
	e := expectation{text: s, keys: map[string]string{}}
	for rest := strings.TrimSpace(s); rest != ""; rest = strings.TrimSpace(rest) {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return e, fmt.Errorf("%q is no key=value", rest)
		}
		if strings.HasPrefix(after, `"`) {
			v, after, err := quoted(after)
			if err != nil {
				return e, err
			}
			e.keys[key], rest = strings.ReplaceAll(v, "{}", value), after
			continue
		}
		e.keys[key], rest, _ = strings.Cut(after, " ")
	}
	return e, nil
}

func (e *expectation) get(key, otherwise string) string {
	if v, ok := e.keys[key]; ok {
		return v
	}
	return otherwise
}

// method is that of the request: the end of a response depends on it.
func (e *expectation) method() string { return e.get("method", "GET") }

// called tells that the handler answers.
func (e *expectation) called() bool { return e.get("calls", "1") == "1" }

// matchCall holds what the handler saw against e.
func (e *expectation) matchCall(c *call) error {
	for key, want := range e.keys {
		var got string
		switch key {
		case "method":
			got = c.method
		case "path":
			got = c.path
		case "target":
			got = c.target
		case "query":
			got = c.query
		case "authority":
			got = c.authority
		case "version":
			got = c.version
		case "body":
			got = c.body
		case "trailer":
			got = c.trailer
		default:
			name, ok := strings.CutPrefix(key, "f:")
			if !ok {
				continue
			}
			if got, ok = c.fields[name]; !ok {
				got = "-"
			}
		}
		if got != want {
			return fmt.Errorf("the handler saw %s %q, want %q", key, got, want)
		}
	}
	return nil
}

// matchResponse holds a response against e.
func (e *expectation) matchResponse(r *response) error {
	if want := e.get("status", "200"); strconv.Itoa(r.status) != want {
		return fmt.Errorf("status %d, want %s", r.status, want)
	}
	var interim []string
	for _, s := range r.interim {
		interim = append(interim, strconv.Itoa(s))
	}
	if got, want := strings.Join(interim, ","), e.get("interim", ""); got != want {
		return fmt.Errorf("interim responses %q, want %q", got, want)
	}
	for key, want := range e.keys {
		var got string
		switch name, isField := strings.CutPrefix(key, "r:"); {
		case isField:
			values, ok := r.fields[name]
			got = strings.Join(values, ", ")
			if !ok {
				got = "-"
			} else if want == "*" {
				continue
			}
		case key == "response":
			got = r.body
		case key == "framing":
			got = r.framing
		default:
			continue
		}
		if got != want {
			return fmt.Errorf("response has %s %q, want %q", key, got, want)
		}
	}
	return nil
}
