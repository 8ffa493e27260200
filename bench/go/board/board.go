// Package board is the data and the rules of the profiles, the same for every Go server.
package board

import "fmt"

// Rating, Item and Total are the records of the json profile.
type Rating struct {
	Score int `json:"score"`
	Count int `json:"count"`
}

// Item is one of the fifty items.
type Item struct {
	ID       int      `json:"id"`
	Name     string   `json:"name"`
	Category string   `json:"category"`
	Price    int      `json:"price"`
	Quantity int      `json:"quantity"`
	Active   bool     `json:"active"`
	Tags     []string `json:"tags"`
	Rating   Rating   `json:"rating"`
}

// Total is an item with what it costs.
type Total struct {
	Item
	Total int `json:"total"`
}

// Answer is what GET /json/{count}?m={m} says.
type Answer struct {
	Items []Total `json:"items"`
	Count int     `json:"count"`
}

// Items makes the fifty items; a server does it once, when it starts.
func Items() []Item {
	categories := [...]string{"books", "games", "garden", "kitchen", "tools"}
	items := make([]Item, 50)
	for i := range items {
		tags := []string{"classic"}
		if i%2 == 1 {
			tags = []string{"new", "sale"}
		}
		items[i] = Item{
			i, fmt.Sprintf("Item %d", i), categories[i%5], 10 + i*3, 1 + i%7, i%3 != 0, tags, Rating{i * 7 % 50, i * 11},
		}
	}
	return items
}

// Of computes the answer for the first count items.
func Of(items []Item, count, m int) Answer {
	items = items[:max(min(count, len(items)), 0)]
	a := Answer{make([]Total, len(items)), len(items)}
	for i, it := range items {
		a.Items[i] = Total{it, it.Price * it.Quantity * m}
	}
	return a
}

// NewUser is the body of POST /users. Pointers tell a field that is missing from one that is zero.
type NewUser struct {
	Name       *string  `json:"name"`
	Email      *string  `json:"email"`
	Age        *int     `json:"age"`
	City       *string  `json:"city"`
	Country    *string  `json:"country"`
	Phone      *string  `json:"phone"`
	Newsletter *bool    `json:"newsletter"`
	Score      *float64 `json:"score"`
	Tags       []string `json:"tags"`
	Referrer   *string  `json:"referrer"`
}

// Wrong names the first field that is missing or out of its bounds; empty when there is none.
func (u *NewUser) Wrong() string {
	switch {
	case u.Name == nil:
		return "name"
	case u.Email == nil:
		return "email"
	case u.Age == nil || *u.Age < 0 || *u.Age > 150:
		return "age"
	case u.City == nil:
		return "city"
	case u.Country == nil:
		return "country"
	case u.Phone == nil:
		return "phone"
	case u.Newsletter == nil:
		return "newsletter"
	case u.Score == nil:
		return "score"
	case u.Tags == nil:
		return "tags"
	}
	return ""
}

// User is the answer of GET /users/{id}.
type User struct {
	ID     int    `json:"id"`
	Q      string `json:"q"`
	Limit  int    `json:"limit"`
	Tenant string `json:"tenant"`
	Active bool   `json:"active"`
}

// Refusal is the body of a 422.
type Refusal struct {
	Error string `json:"error"`
}
