package access_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/access"
)

// A policy that is nested as deeply as a file allows does not exhaust the stack.
func TestDeepPolicy(t *testing.T) {
	t.Parallel()
	const begin, end = "permit (principal, action, resource) when { ", " };"
	for _, nest := range []string{"(", "!", "-", "[", "{a:", "if "} {
		if _, err := access.ParseAuthorizer("deep.cedar", []byte(begin+strings.Repeat(nest, 60<<10/len(nest)))); err == nil {
			t.Errorf("%q without end is accepted", nest)
		}
	}
	const levels = 30 << 10
	a, err := access.ParseAuthorizer("deep.cedar", []byte(begin+strings.Repeat("(", levels)+"true"+strings.Repeat(")", levels)+end))
	if err != nil {
		t.Fatal(err)
	}
	if !a.Authorize(access.Question{Principal: principal(), Action: access.Read}).Permitted {
		t.Error("parentheses change the meaning")
	}
	for _, deep := range []string{strings.Repeat("-", levels) + "1 == 1", strings.Repeat("[", levels) + strings.Repeat("]", levels) + " == []"} {
		_, _ = access.ParseAuthorizer("deep.cedar", []byte(begin+deep+end)) // returns, whatever it thinks of it
	}
}
