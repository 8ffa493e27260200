package covet

import "time"

// parseHTTPDate parses an HTTP-date in each of its three forms (RFC 9110 section 5.6.7) and returns the seconds since
// 1970. Year is the present one, for the form with two digits. The name of the day is not held against the date.
//
//	Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate
//	Sunday, 06-Nov-94 08:49:37 GMT   obsolete RFC 850 form
//	Sun Nov  6 08:49:37 1994         asctime form
func parseHTTPDate(b []byte, year int) (unix int64, ok bool) {
	p := dateParser{b: b, ok: true}
	switch name := p.letters(); {
	case len(name) == 3 && p.is(", "):
		p.day = p.digits(2)
		p.want(" ")
		p.month = monthNumber(p.letters())
		p.want(" ")
		p.year = p.digits(4)
		p.want(" ")
		p.clock()
		p.want(" GMT")
		p.ok = p.ok && dayNumber(name) > 0
	case p.is(", "):
		p.day = p.digits(2)
		p.want("-")
		p.month = monthNumber(p.letters())
		p.want("-")
		p.year = p.digits(2)
		p.want(" ")
		p.clock()
		p.want(" GMT")
		p.ok = p.ok && longDay(name)
		// More than 50 years ahead means the most recent year in the past with these digits.
		p.year += year - year%100
		if p.year > year+50 {
			p.year -= 100
		} else if p.year <= year-50 {
			p.year += 100
		}
	case len(name) == 3 && p.is(" "):
		p.month = monthNumber(p.letters())
		p.want(" ")
		if p.is(" ") {
			p.day = p.digits(1)
		} else {
			p.day = p.digits(2)
		}
		p.want(" ")
		p.clock()
		p.want(" ")
		p.year = p.digits(4)
		p.ok = p.ok && dayNumber(name) > 0
	default:
		return 0, false
	}
	if !p.ok || len(p.b) > 0 || p.month == 0 || p.day < 1 || p.hour > 23 || p.minute > 59 || p.second > 60 {
		return 0, false
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, 0, time.UTC)
	if p.day > 28 && time.Date(p.year, time.Month(p.month), p.day, 0, 0, 0, 0, time.UTC).Day() != p.day {
		return 0, false // the month is shorter
	}
	return t.Unix(), true
}

// dateParser takes a date apart. After the first mistake ok is false.
type dateParser struct {
	b  []byte
	ok bool

	year, month, day, hour, minute, second int
}

func (p *dateParser) is(s string) bool {
	if len(p.b) < len(s) || string(p.b[:len(s)]) != s {
		return false
	}
	p.b = p.b[len(s):]
	return true
}

func (p *dateParser) want(s string) { p.ok = p.is(s) && p.ok }

// letters takes the letters at the front, at most as many as the longest name has.
func (p *dateParser) letters() []byte {
	n := 0
	for n < len(p.b) && n < len("Wednesday") && p.b[n]|0x20-'a' < 26 {
		n++
	}
	s := p.b[:n]
	p.b = p.b[n:]
	return s
}

func (p *dateParser) digits(n int) (v int) {
	if len(p.b) < n {
		p.ok = false
		return 0
	}
	for _, c := range p.b[:n] {
		if c-'0' > 9 {
			p.ok = false
			return 0
		}
		v = v*10 + int(c-'0')
	}
	p.b = p.b[n:]
	return v
}

func (p *dateParser) clock() {
	p.hour = p.digits(2)
	p.want(":")
	p.minute = p.digits(2)
	p.want(":")
	p.second = p.digits(2)
}

// place returns the number, from 1, of a name of three letters in the row, 0 when it is not there.
func place(name []byte, row string) int {
	if len(name) != 3 {
		return 0
	}
	for i := 0; i < len(row); i += 3 {
		if string(name) == row[i:i+3] {
			return i/3 + 1
		}
	}
	return 0
}

func monthNumber(name []byte) int { return place(name, "JanFebMarAprMayJunJulAugSepOctNovDec") }
func dayNumber(name []byte) int   { return place(name, "SunMonTueWedThuFriSat") }

func longDay(name []byte) bool {
	switch string(name) {
	case "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday":
		return true
	}
	return false
}
