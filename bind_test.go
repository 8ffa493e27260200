package covet

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/fault"
)

type bindLine struct {
	Price float64 `json:"price"`
	Count uint8   `json:"count"`
}

type bindOrder struct {
	Name  string         `json:"name"`
	Lines []bindLine     `json:"lines"`
	Wait  time.Duration  `json:"wait"`
	More  map[string]any `json:"more"`
	Any   any            `json:"any"`
	Next  *bindOrder     `json:"next"`
}

func TestDecodeJSON(t *testing.T) {
	million := strings.Repeat("7", 1<<20)
	tests := []struct {
		name, body string
		code       fault.Code // "" when it is taken
		field      string     // of the first detail
	}{
		{"whole", `{"name":"a","lines":[{"price":1.5}],"wait":5}`, "", ""},
		{"name in other case", `{"Name":"a"}`, "", ""},
		{"unknown name", `{"colour":[[[]]]}`, "", ""},
		{"empty", " \r\n\t", fault.ValidationFailed, "body"},
		{"wrong type", `{"name":1}`, fault.ValidationFailed, "body.name"},
		{"wrong type inside", `{"lines":[{},{"price":"x"}]}`, fault.ValidationFailed, "body.lines[1].price"},
		{"too large for its type", `{"lines":[{"count":256}]}`, fault.ValidationFailed, "body.lines[0].count"},
		{"wrong type of the whole", `[]`, fault.ValidationFailed, "body"},
		{"cut", `{"name":`, fault.BadRequest, ""},
		{"bytes behind", `{}x`, fault.BadRequest, ""},
		{"two values", `{}{}`, fault.BadRequest, ""},
		{"not UTF-8", "{\"name\":\"\xff\"}", fault.BadRequest, ""},
		{"lone surrogate", `{"name":"\ud800"}`, fault.BadRequest, ""},
		{"control character", "{\"name\":\"\x01\"}", fault.BadRequest, ""},
		{"leading zero", `{"wait":01}`, fault.BadRequest, ""},
		{"NaN", `{"any":NaN}`, fault.BadRequest, ""},
		{"duplicate name", `{"name":"a","name":"b"}`, fault.BadRequest, ""},
		{"duplicate name where nothing is decoded", `{"x":{"a":1,"a":1}}`, fault.BadRequest, ""},
		{"duplicate name in a map", `{"more":{"a":1,"\u0061":2}}`, fault.BadRequest, ""},
		{"number of 1 MB", `{"lines":[{"price":` + million + `}]}`, fault.ValidationFailed, "body.lines[0].price"},
		{"integer of 1 MB", `{"wait":` + million + `}`, fault.ValidationFailed, "body.wait"},
		{"number of 1 MB as any", `{"any":` + million + `}`, fault.ValidationFailed, "body.any"},
		{"nested 1,000 deep", strings.Repeat(`{"next":`, 999) + `{}` + strings.Repeat(`}`, 999), "", ""},
		{"nested 1,001 deep", `{"any":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, fault.BadRequest, ""},
		{"nested 100,000 deep", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), fault.BadRequest, ""},
		{"opened 100,000 times", strings.Repeat(`{"a":`, 100_000), fault.BadRequest, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v bindOrder
			err := decodeJSON([]byte(tt.body), &v)
			var f *fault.Error
			if tt.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.As(err, &f) || f.Code != tt.code {
				t.Fatalf("got %v, want %s", err, tt.code)
			}
			if tt.field == "" {
				return
			}
			var details []problemField
			if err := json.Unmarshal(f.Details, &details); err != nil || len(details) != 1 || details[0].Field != tt.field {
				t.Errorf("details %s, want the field %q", f.Details, tt.field)
			}
		})
	}
}

// A decoder that looks for the end of a value before it decodes it takes depth times length: minutes for this body.
// Nothing is measured here; a test that runs for minutes has said it.
func TestDecodeJSONIsLinearInDepth(t *testing.T) {
	body := `{"any":` + strings.Repeat("[", 990) + strings.Repeat("1,", 1<<20) + "1" + strings.Repeat("]", 990) + `}`
	var v bindOrder
	if err := decodeJSON([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecodeJSONOrder(f *testing.F) {
	for _, s := range []string{`{"name":"a","lines":[{"price":1}],"more":{"a":[1,null]}}`, `{"name":"\ud83d\ude00"}`, `[[[`, `{"a":1,"a":2}`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v bindOrder
		err := decodeJSON(body, &v)
		if err == nil {
			if !json.Valid(body) {
				t.Errorf("took %q", body)
			}
			return
		}
		var shown *fault.Error
		if !errors.As(err, &shown) || shown.HTTPStatus() < 400 || shown.HTTPStatus() > 499 {
			t.Errorf("%q: %v is not for the client", body, err)
		}
	})
}
