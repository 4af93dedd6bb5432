package admin_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/api"
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

// The types of problems that clients tell apart are among those that the API lists.
func TestProblemsThatClientsKnowExist(t *testing.T) {
	t.Parallel()
	contract := string(admin.OpenAPI())
	for _, problem := range []string{
		api.ProblemNotFound, api.ProblemUndecided, api.ProblemApprovalRequired, api.ProblemBreakGlassRequired, api.ProblemEnvironmentUnknown,
		api.ProblemPreconditionMissing,
	} {
		if !strings.Contains(contract, `"`+problem+`"`) {
			t.Errorf("%s is no type of a problem", problem)
		}
	}
}
