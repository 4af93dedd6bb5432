package admin_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/admin"
)

const contract = "../../../api/openapi.json"

var update = flag.Bool("update", false, "write api/openapi.json anew")

// The contract in the repository is what the program serves, so that a change of the API is seen in review.
func TestOpenAPIIsInTheRepository(t *testing.T) {
	t.Parallel()
	got := admin.OpenAPI()
	if *update {
		if err := os.WriteFile(contract, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(contract)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("api/openapi.json differs; if that is meant, run \"go test ./internal/publisher/admin -update\" (-file +program):\n%s", diff)
	}
}
