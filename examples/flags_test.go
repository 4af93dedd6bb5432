// Package examples_test checks that the example files are what they claim to be.
package examples_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/flagside/flagside/eval"
)

// load returns the example flags as a ruleset, which must raise neither problems nor warnings.
func load(t *testing.T) *eval.Ruleset {
	t.Helper()
	data, err := os.ReadFile("flags.json")
	if err != nil {
		t.Fatal(err)
	}
	documents, problems := eval.ParseFile(data, "")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i := range documents {
		documents[i].Revision = uint64(i) + 1
	}
	rules, problems := eval.New().Update(documents)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

func TestShopLoads(t *testing.T) {
	t.Parallel()
	if got := load(t).Len(); got < 25 {
		t.Errorf("the shop has %d flags, want at least 25", got)
	}
}

func TestShopDecides(t *testing.T) {
	t.Parallel()
	rules := load(t)
	sale := time.Date(2026, time.December, 20, 12, 0, 0, 0, time.UTC)
	at := func(now time.Time, flag, context, want string) {
		t.Helper()
		var c eval.Context
		if err := rules.DecodeContext(&c, []byte(context)); err != nil {
			t.Fatalf("%s: %v", context, err)
		}
		result := rules.Flag(flag).Evaluate(&c, now)
		if result.ErrorCode != "" {
			t.Errorf("%s for %s: %s: %s", flag, context, result.ErrorCode, result.Detail)
			return
		}
		got := "code default"
		if result.Variant != nil {
			got = result.Variant.Name()
		}
		if got != want {
			t.Errorf("%s for %s: got %s (%s), want %s", flag, context, got, result.Reason, want)
		}
	}
	f := func(flag, context, want string) {
		t.Helper()
		at(sale, flag, context, want)
	}

	// Kill switches and fail-overs.
	f("checkout-enabled", `{}`, "on")
	f("payment-provider", `{"targetingKey": "c-1"}`, "primary")
	f("reviews-read-only", `{}`, "off")
	f("legacy-feed-export", `{}`, "code default")

	// A percentage, and a chain of prerequisites behind it.
	f("new-checkout", `{"targetingKey": "c-1", "email": "jo@shop.example"}`, "on")
	f("new-checkout", `{}`, "off")
	f("one-click-checkout", `{"targetingKey": "c-1", "email": "jo@shop.example", "tier": "gold"}`, "on")
	f("one-click-checkout", `{"targetingKey": "c-1", "email": "jo@shop.example"}`, "off")
	f("one-click-checkout", `{"tier": "gold"}`, "off")
	f("new-checkout", `{"targetingKey": "c-1"}`, "on")
	f("new-checkout", `{"targetingKey": "c-2"}`, "off")
	f("saved-cards-reminder", `{"targetingKey": "c-1", "tier": "gold"}`, "dialog")
	f("saved-cards-reminder", `{"targetingKey": "c-1"}`, "none")
	f("saved-cards-reminder", `{"targetingKey": "c-2", "tier": "gold"}`, "none")

	// Allow lists and permissions.
	f("invoice-payment", `{"targetingKey": "c-4711"}`, "allowed")
	f("invoice-payment", `{"targetingKey": "c-4712"}`, "denied")
	f("invoice-payment", `{"targetingKey": "c-4712", "accountType": "business"}`, "allowed")
	f("refund-limit", `{"roles": ["support-agent", "reader"]}`, "agent")
	f("refund-limit", `{"roles": ["support-agent", "support-lead"]}`, "lead")
	f("refund-limit", `{}`, "none")
	f("delivery-slots", `{"country": "DE", "postcode": "10115"}`, "on")
	f("delivery-slots", `{"country": "DE", "postcode": "99084"}`, "off")
	f("delivery-slots", `{"country": "AT", "postcode": "1010"}`, "off")
	f("beta-programme", `{"tier": "gold", "orders": 10}`, "offered")
	f("beta-programme", `{"tier": "gold", "orders": 9}`, "hidden")

	// Versions.
	f("biometric-login", `{"platform": "ios", "appVersion": "7.2.0"}`, "on")
	f("biometric-login", `{"platform": "android", "appVersion": "7.4.0"}`, "off")
	f("biometric-login", `{}`, "off")
	f("app-update", `{"platform": "ios", "appVersion": "5.9.9"}`, "required")
	f("app-update", `{"platform": "ios", "appVersion": "6.3"}`, "suggested")
	f("app-update", `{"platform": "web", "appVersion": "5.9.9"}`, "none")

	// Countries and segments.
	f("cookie-banner", `{"country": "FR"}`, "opt-in")
	f("cookie-banner", `{"country": "US"}`, "opt-out")
	f("cookie-banner", `{"country": "JP"}`, "notice")
	f("cookie-banner", `{}`, "opt-in")
	f("price-display", `{"country": "DE", "accountType": "business"}`, "net")
	f("price-display", `{"country": "DE"}`, "gross")
	f("free-shipping-from", `{"country": "DE"}`, "low")
	f("free-shipping-from", `{"country": "SE"}`, "standard")
	f("free-shipping-from", `{"country": "AU"}`, "abroad")
	f("search-page-size", `{"platform": "android"}`, "small")
	f("recommendations", `{"country": "DE", "tier": "gold", "targetingKey": "c-1"}`, "popular")
	f("recommendations", `{"country": "DE", "tier": "gold", "consent": {"personalisation": true}}`, "personal")
	f("product-page", `{"country": "DE", "targetingKey": "c-1"}`, "classic")

	// Values of the context that are strings, lists or absent.
	f("dark-mode", `{"theme": "dark"}`, "dark")
	f("dark-mode", `{}`, "code default")
	f("image-format", `{"accept": "image/avif,image/webp,*/*"}`, "avif")
	f("image-format", `{}`, "jpeg")
	f("search-ranking", `{"targetingKey": "c-1"}`, "control")
	f("warehouse-routing", `{}`, "legacy")
	f("login-rate-limit", `{"network": "office"}`, "relaxed")

	// The clock.
	f("winter-sale", `{}`, "on")
	f("sale-banner", `{}`, "standard")
	f("sale-banner", `{"tier": "platinum"}`, "loyal")
	before := time.Date(2026, time.December, 10, 12, 0, 0, 0, time.UTC)
	at(before, "winter-sale", `{}`, "off")
	at(before, "winter-sale", `{"email": "jo@shop.example"}`, "on")
	at(before, "sale-banner", `{}`, "hidden")
	after := time.Date(2027, time.January, 6, 23, 0, 0, 0, time.UTC)
	at(after, "winter-sale", `{"email": "jo@shop.example"}`, "off")
	at(sale, "support-chat", `{}`, "open")
	at(sale.Add(8*time.Hour), "support-chat", `{}`, "closed")
	at(sale.Add(8*time.Hour), "support-chat", `{"tier": "platinum"}`, "open")
}

// A percentage must send roughly its share of customers each way.
func TestShopPercentages(t *testing.T) {
	t.Parallel()
	const customers = 20_000
	rules := load(t)
	on := 0
	for i := range customers {
		var c eval.Context
		if err := rules.DecodeContext(&c, []byte(`{"targetingKey": "c-`+strconv.Itoa(i)+`"}`)); err != nil {
			t.Fatal(err)
		}
		if rules.Flag("new-checkout").Evaluate(&c, time.Time{}).Variant.Name() == "on" {
			on++
		}
	}
	if share := float64(on) / customers; share < 0.19 || share > 0.21 {
		t.Errorf("the new checkout reaches %.3f of the customers, want 0.20", share)
	}
}
