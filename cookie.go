package covet

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/covetpy/covet/internal/ascii"
)

const (
	// maxCookie is where user agents drop a cookie: name and value together (RFC 6265bis section 5.6).
	maxCookie = 4096
	// maxCookieAttribute is where they ignore an attribute.
	maxCookieAttribute = 1024
	// maxCookieAge is where they cap Max-Age, 400 days in seconds (section 5.5): more says nothing.
	maxCookieAge = 400 * 24 * 60 * 60
)

// Cookie returns the value of a cookie, and whether the client sent it. Of several with one name the first counts: user
// agents send those of the longest path first (RFC 6265bis section 5.8.3). Pairs without a name or a "=" are skipped:
// a cookie without a name could otherwise pose as one with a prefix (section 5.7). One pair of double quotes around the
// value is taken off, as other servers do.
func (c *Ctx) Cookie(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	for i := range c.req.Fields {
		// HTTP/2 may split the field (RFC 9113 section 8.2.3).
		f := c.req.Fields[i]
		if !ascii.EqualFold(c.req.Bytes(f.Name), "cookie") {
			continue
		}
		for rest := c.req.Bytes(f.Value); len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte(";"))
			key, v, found := bytes.Cut(pair, []byte("="))
			if !found || string(bytes.Trim(key, " \t")) != name {
				continue
			}
			v = bytes.Trim(v, " \t")
			if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
				v = v[1 : len(v)-1]
			}
			return string(v), true
		}
	}
	return "", false
}

// SetCookie adds a Set-Cookie field. A cookie that user agents would refuse or misread makes the response a logged 500:
// a value that needs encoding, more than 4096 bytes, a SameSite of None, Partitioned or a name's prefix (__Host-,
// __Secure-, __Http-, __Host-Http-) without the attributes that each needs (RFC 6265bis sections 4.1 and 5.7).
// Unparsed, RawExpires and Raw are not looked at. A MaxAge over 400 days is sent as 400 days.
func (c *Ctx) SetCookie(cookie *http.Cookie) {
	b, err := appendCookie(nil, cookie)
	if err != nil {
		c.bad = errors.Join(c.bad, fmt.Errorf("cookie %q: %w", cookie.Name, err))
		return
	}
	c.AddHeader("set-cookie", string(b))
}

// DeleteCookie adds a Set-Cookie field that makes the client forget a cookie. Name, Path, Domain and Partitioned must be
// those that it was set with; value and age are not looked at, and Secure and HttpOnly are set where they are needed.
func (c *Ctx) DeleteCookie(cookie *http.Cookie) {
	d := *cookie
	d.Value, d.MaxAge, d.Expires = "", -1, time.Unix(0, 0).UTC()
	secure, httpOnly, _ := prefixOf(d.Name)
	d.Secure = d.Secure || secure || d.Partitioned || d.SameSite == http.SameSiteNoneMode
	d.HttpOnly = d.HttpOnly || httpOnly
	c.SetCookie(&d)
}

// prefixOf says what the prefix of a name promises (RFC 6265bis section 4.1.3); user agents compare without case.
func prefixOf(name string) (secure, httpOnly, host bool) {
	const longest = len("__Host-Http-")
	lower := strings.ToLower(name[:min(len(name), longest)])
	host = strings.HasPrefix(lower, "__host-")
	httpOnly = strings.HasPrefix(lower, "__http-") || strings.HasPrefix(lower, "__host-http-")
	return host || httpOnly || strings.HasPrefix(lower, "__secure-"), httpOnly, host
}

// appendCookie appends the value of a Set-Cookie field (RFC 6265bis section 4.1.1).
func appendCookie(dst []byte, k *http.Cookie) ([]byte, error) {
	if err := validCookie(k); err != nil {
		return dst, err
	}
	dst = append(dst, k.Name...)
	dst = append(dst, '=')
	if k.Quoted {
		dst = append(dst, '"')
	}
	dst = append(dst, k.Value...)
	if k.Quoted {
		dst = append(dst, '"')
	}
	if k.MaxAge != 0 { // as net/http: 0 is none, negative is now
		dst = append(dst, "; Max-Age="...)
		dst = strconv.AppendInt(dst, int64(min(max(k.MaxAge, 0), maxCookieAge)), 10)
	}
	if !k.Expires.IsZero() {
		dst = append(dst, "; Expires="...)
		dst = k.Expires.UTC().AppendFormat(dst, http.TimeFormat)
	}
	if k.Path != "" {
		dst = append(append(dst, "; Path="...), k.Path...)
	}
	if k.Domain != "" {
		dst = append(append(dst, "; Domain="...), k.Domain...)
	}
	if k.Secure {
		dst = append(dst, "; Secure"...)
	}
	if k.HttpOnly {
		dst = append(dst, "; HttpOnly"...)
	}
	switch k.SameSite {
	case http.SameSiteLaxMode:
		dst = append(dst, "; SameSite=Lax"...)
	case http.SameSiteStrictMode:
		dst = append(dst, "; SameSite=Strict"...)
	case http.SameSiteNoneMode:
		dst = append(dst, "; SameSite=None"...)
	}
	if k.Partitioned {
		dst = append(dst, "; Partitioned"...)
	}
	return dst, nil
}

func validCookie(k *http.Cookie) error {
	if !ascii.IsToken(k.Name) {
		return errors.New("the name is no token")
	}
	for i := range len(k.Value) {
		if c := k.Value[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return errors.New("the value has characters that cookies cannot carry: encode it first")
		}
	}
	if len(k.Name)+len(k.Value) > maxCookie {
		return fmt.Errorf("name and value are over %d bytes", maxCookie)
	}
	if k.Path != "" && !validCookiePath(k.Path) {
		return errors.New("the path does not begin with a slash, or cannot be sent")
	}
	if k.Domain != "" && !validCookieDomain(k.Domain) {
		return errors.New("the domain is no host name")
	}
	if y := k.Expires.UTC().Year(); !k.Expires.IsZero() && (y < 1601 || y > 9999) {
		return errors.New("the year of expires is out of range") // section 5.1.1: user agents fail to parse it
	}
	secure, httpOnly, host := prefixOf(k.Name)
	switch {
	case secure && !k.Secure:
		return errors.New("the name's prefix needs Secure")
	case httpOnly && !k.HttpOnly:
		return errors.New("the name's prefix needs HttpOnly")
	case host && (k.Path != "/" || k.Domain != ""):
		return errors.New("the name's prefix needs the path / and no domain")
	case k.SameSite == http.SameSiteNoneMode && !k.Secure:
		return errors.New("the attribute SameSite=None needs Secure")
	case k.Partitioned && !k.Secure:
		return errors.New("the attribute Partitioned needs Secure")
	}
	return nil
}

// validCookiePath: section 5.6.4 ignores a path that does not begin with a slash, section 4.1.1 has no controls and no
// semicolon in it.
func validCookiePath(s string) bool {
	if s[0] != '/' || len(s) > maxCookieAttribute {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == ';' {
			return false
		}
	}
	return true
}

// validCookieDomain: a host name as it goes into DNS; section 5.6.3 ignores a leading dot.
func validCookieDomain(s string) bool {
	s = strings.TrimPrefix(s, ".")
	if s == "" || len(s) > maxCookieAttribute || strings.ContainsAny(s[:1]+s[len(s)-1:], ".-") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
