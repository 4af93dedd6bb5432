package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/flagside/flagside/bench/http/load"
)

// kindsOfVisitors is how many contexts there are that differ in more than who is asked for. It is odd, so that a connection comes to each of them.
const kindsOfVisitors = 255

// askForVisitors asks for all flags, each time for a visitor who never came before, and who is seldom like the one before.
func askForVisitors() []load.Request {
	var all []load.Request
	for _, context := range visitors() {
		all = append(all, load.HTTP("POST", flagsPath, `{"context":`+context+`}`))
	}
	return all
}

// visitors returns contexts with a place for the number of the visitor.
func visitors() []string {
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	all := make([]string, kindsOfVisitors)
	for i := range all {
		all[i] = fmt.Sprintf(`{"targetingKey":"%s","email":"%s","country":"%s","tier":"%s","platform":"%s","orders":%d,"postcode":"%05d","appVersion":"%d.%d.%d",`+
			`"language":"%s","session":"%010x"}`,
			load.Number, pick("a.person@shop.example", "b.other@mail.example", "c.third@post.example"), pick("DE", "DE", "DE", "AT", "CH", "FR", "NL", "US"),
			pick("none", "none", "silver", "gold", "platinum"), pick("android", "ios", "web", "web"), r.IntN(100), r.IntN(99_999),
			6+r.IntN(3), r.IntN(20), r.IntN(10), pick("de", "de", "de", "en", "en", "fr", "nl"), r.Uint64N(1<<40))
	}
	return all
}
