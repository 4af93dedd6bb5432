package sidecar_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

const regionalFlags = `{"flags":{"greeting":{"state":"ENABLED","variants":{"header":"h","static":"s","request":"r"},"defaultVariant":"request",
	"targeting":{"if":[{"==":[{"var":"tier"},"gold"]},"header",{"==":[{"var":"tier"},"silver"]},"static",null]}}}}`

// Every face sees the same context: what a header says, otherwise what the sidecar was told, otherwise what the request says.
func TestFacesAddToContexts(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, regionalFlags)
	o.FlagdAddr, o.FlagdSyncAddr = "127.0.0.1:0", "127.0.0.1:0"
	o.Context = resolver.Enrichment{Static: map[string]string{"tier": "silver"}, Headers: map[string]string{"x-tier": "tier"}}
	s := start(t, o)
	s.awaitReady()
	faces := map[string]string{
		"OFREP":       "http://" + s.OFREPAddr().String() + "/ofrep/v1/evaluate/flags/greeting",
		"OFREP, bulk": "http://" + s.OFREPAddr().String() + "/ofrep/v1/evaluate/flags",
		"flagd":       "http://" + s.FlagdAddr().String() + "/flagd.evaluation.v2.Service/ResolveString",
		"flagd, all":  "http://" + s.FlagdAddr().String() + "/flagd.evaluation.v1.Service/ResolveAll",
		"explain":     "http://" + s.ManagementAddr().String() + "/explain/greeting",
	}
	for name, target := range faces {
		for header, variant := range map[string]string{"gold": "header", "": "static", "bronze": "request"} {
			answer := post(t, target, `{"context":{"tier":"gold"},"flagKey":"greeting"}`, header)
			if want := fmt.Sprintf(`"variant":%q`, variant); !strings.Contains(answer, want) {
				t.Errorf("%s, header %q: %s; want %s", name, header, answer, want)
			}
		}
	}
	// Providers that evaluate by themselves are told what is the same for all requests.
	answer := post(t, "http://"+s.FlagdSyncAddr().String()+"/flagd.sync.v1.FlagSyncService/GetMetadata", "{}", "")
	if !strings.Contains(answer, `"tier":"silver"`) {
		t.Errorf("metadata %s", answer)
	}
}

func post(t *testing.T, target, body, tier string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	request.Header.Set("Content-Type", "application/json")
	if tier != "" {
		request.Header.Set("X-Tier", tier)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
