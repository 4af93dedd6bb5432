package ofrep

import (
	"encoding/json"
	"testing"

	"github.com/valyala/fasthttp"
)

// Whatever a request says, its answer is a JSON object, and nothing it says is the sidecar's fault.
func FuzzHandler(f *testing.F) {
	for _, seed := range []struct{ method, target, selector, body string }{
		{"POST", basePath + "/targeted", "", contextBody},
		{"POST", basePath, "flagSetId=", `{"context":{"plan":["gold"]}}`},
		{"POST", basePath + "/a%2Fb%zz?x=%", "source=x", `{"context":{"$flagd":{}}}`},
		{"GET", "/\xff", "=", "\x00"},
	} {
		f.Add(seed.method, seed.target, seed.selector, []byte(seed.body))
	}
	s := newHandler(f)
	f.Fuzz(func(t *testing.T, method, target, selector string, body []byte) {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod(method)
		ctx.Request.Header.SetRequestURI(target)
		ctx.Request.Header.Set("Flagd-Selector", selector)
		ctx.Request.SetBody(body)
		s.handle(&ctx)
		if status := ctx.Response.StatusCode(); status < 200 || status >= 500 {
			t.Errorf("status %d", status)
		}
		var answer map[string]any
		if err := json.Unmarshal(ctx.Response.Body(), &answer); err != nil {
			t.Errorf("%q: %v", ctx.Response.Body(), err)
		}
		if _, ok := answer["metadata"].(map[string]any); !ok {
			t.Errorf("no metadata in %q", ctx.Response.Body())
		}
	})
}
