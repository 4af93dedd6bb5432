package client_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// anOperation is a call of a method with the names of parameters in the place of their values, and 7 for a number.
type anOperation func(context.Context, *client.Client) error

// everyOperation calls each method of the client, as often as it takes to reach each operation of the API.
func everyOperation() []anOperation {
	const environment, request, key, revision = "{environment}", "{request}", "{key}", "00000000-1"
	var h api.ChangeHeaders
	var administration api.AdministrationHeaders
	var restore api.RestoreHeaders
	seen := client.Precondition{Absent: true}
	settings := document.ID{Kind: document.KindSettings, Key: document.SettingsKey}
	operations := []anOperation{
		func(ctx context.Context, c *client.Client) error { return second(c.Webhooks(ctx)) },
		func(ctx context.Context, c *client.Client) error { return second(c.TestWebhook(ctx, "{webhook}")) },
		func(ctx context.Context, c *client.Client) error { return second(c.Sessions(ctx)) },
		func(ctx context.Context, c *client.Client) error { return second(c.RevokeSession(ctx, "{session}")) },
		func(ctx context.Context, c *client.Client) error { return second(c.Environments(ctx)) },
		func(ctx context.Context, c *client.Client) error { return second(c.Environment(ctx, environment)) },
		func(ctx context.Context, c *client.Client) error { return second(c.Tasks(ctx, environment)) },
		func(ctx context.Context, c *client.Client) error {
			return second(c.CreateEnvironment(ctx, api.NewEnvironment{}, administration))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ArchiveEnvironment(ctx, environment, administration))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ReviveEnvironment(ctx, environment, administration))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.AdoptEnvironment(ctx, environment, administration))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RollBackEnvironment(ctx, environment, revision, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Promote(ctx, environment, api.PromoteEnvironment{}, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ChangeDocuments(ctx, environment, api.ChangeDocuments{}, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Preview(ctx, environment, api.Command{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Evaluate(ctx, environment, api.Evaluate{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.VerifyAudit(ctx, environment))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Operation(ctx, environment, "{operation}"))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RecreateEnvironment(ctx, environment, api.RecreateQuery{}, restore))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RestoreEnvironment(ctx, environment, nil, api.RestoreQuery{}, restore))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RepairLedger(ctx, environment, api.RepairHeaders{}))
		},

		func(ctx context.Context, c *client.Client) error {
			return second(c.AllRequests(ctx, environment, api.RequestQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Requests(ctx, environment, api.RequestQuery{}))
		},
		func(ctx context.Context, c *client.Client) error { return second(c.Request(ctx, environment, request)) },
		func(ctx context.Context, c *client.Client) error {
			return second(c.OpenRequest(ctx, environment, api.NewRequest{}, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RebaseRequest(ctx, environment, request, api.NewRequest{}, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.CommentRequest(ctx, environment, request, "", h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ApproveRequest(ctx, environment, request, "", h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RejectRequest(ctx, environment, request, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.WithdrawRequest(ctx, environment, request, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ReviewRequest(ctx, environment, request, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ApplyRequest(ctx, environment, request, h))
		},

		func(ctx context.Context, c *client.Client) error {
			return second(c.Activity(ctx, environment, api.ActivityQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			for _, err := range c.FollowActivity(ctx, environment, "") {
				return errorBut(io.EOF, err)
			}
			return nil
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Ledger(ctx, environment, api.LedgerQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ExportAudit(ctx, environment, false))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ExportAudit(ctx, environment, true))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Note(ctx, environment, "{stream}", 7))
		},
		func(ctx context.Context, c *client.Client) error { return second(c.Risk(ctx, environment)) },
		func(ctx context.Context, c *client.Client) error { return second(c.LifecyclePolicy(ctx, environment)) },
		func(ctx context.Context, c *client.Client) error {
			return second(c.PatchLifecyclePolicy(ctx, environment, nil, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.PreviewLifecyclePolicy(ctx, environment, nil))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.PutRisk(ctx, environment, api.RiskSettings{}, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.PatchRisk(ctx, environment, nil, h))
		},

		func(ctx context.Context, c *client.Client) error {
			return second(c.Lifecycle(ctx, environment, api.LifecycleQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Fleet(ctx, environment, api.FleetQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Convergence(ctx, environment, "{revision}", api.ConvergenceQuery{}))
		},
		func(ctx context.Context, c *client.Client) error { return second(c.Sources(ctx, environment)) },
		func(ctx context.Context, c *client.Client) error {
			return second(c.Usage(ctx, environment, api.UsageQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.FlagUsage(ctx, environment, key, api.FlagUsageQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.UnknownFlags(ctx, environment, api.UnknownFlagsQuery{}))
		},

		func(ctx context.Context, c *client.Client) error { return second(c.WhoAmI(ctx)) },
		func(ctx context.Context, c *client.Client) error {
			return second(c.CheckPolicy(ctx, api.PolicyQuestion{}))
		},
		func(ctx context.Context, c *client.Client) error { return second(c.Tokens(ctx)) },
		func(ctx context.Context, c *client.Client) error {
			return second(c.CreateToken(ctx, api.NewToken{}, administration))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RevokeToken(ctx, "{token}", administration))
		},
		func(ctx context.Context, c *client.Client) error { return second(c.Persons(ctx)) },
		func(ctx context.Context, c *client.Client) error {
			return second(c.ErasePerson(ctx, "", administration))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ControlRecords(ctx, api.RecordQuery{}))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.ReviewControl(ctx, 7, administration))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.RepairControl(ctx, api.RepairHeaders{}))
		},

		func(ctx context.Context, c *client.Client) error {
			return third(c.Document(ctx, environment, settings))
		},
		func(ctx context.Context, c *client.Client) error {
			return third(c.Put(ctx, environment, settings, nil, seen, h))
		},
		func(ctx context.Context, c *client.Client) error {
			return second(c.Toggle(ctx, environment, key, true, seen, h))
		},
	}
	for _, environment := range []string{environment, ""} {
		operations = append(operations,
			func(ctx context.Context, c *client.Client) error { return second(c.Manifest(ctx, environment)) },
			func(ctx context.Context, c *client.Client) error {
				return second(c.CreateManifestFlag(ctx, environment, api.NewManifestFlag{DefaultValue: []byte("0")}, api.ManifestHeaders{}))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.UpdateManifestFlag(ctx, environment, key, api.ChangedManifestFlag{}, api.ManifestHeaders{}))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.ArchiveManifestFlag(ctx, environment, key, api.ManifestHeaders{}))
			},
		)
	}
	for _, kind := range []document.Kind{document.KindFlag, document.KindSegment} {
		id := document.ID{Kind: kind, Key: key}
		operations = append(operations,
			func(ctx context.Context, c *client.Client) error {
				return second(c.AllDocuments(ctx, environment, kind))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.Documents(ctx, environment, kind, api.DocumentQuery{}))
			},
			func(ctx context.Context, c *client.Client) error { return third(c.Document(ctx, environment, id)) },
			func(ctx context.Context, c *client.Client) error {
				return third(c.Put(ctx, environment, id, nil, seen, h))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.Patch(ctx, environment, id, nil, seen, h))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.Delete(ctx, environment, id, seen, h))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.Archive(ctx, environment, id, true, seen, h))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.RollBack(ctx, environment, id, revision, h))
			},
			func(ctx context.Context, c *client.Client) error {
				return second(c.History(ctx, environment, id, api.HistoryQuery{}))
			},
		)
	}
	return operations
}

func third[T, U any](_ T, _ U, err error) error { return err }

func errorBut(expected, err error) error {
	if err == expected { //nolint:errorlint // it is never wrapped
		return nil
	}
	return err
}

// Each operation of the API has a method that reaches it, and no method goes elsewhere.
func TestEveryOperationHasAMethod(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(text, &contract); err != nil {
		t.Fatal(err)
	}
	missing := make(map[string]bool)
	for path, operations := range contract.Paths {
		for method := range operations {
			missing[strings.ToUpper(method)+" "+path] = true
		}
	}
	described := maps.Clone(missing)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := r.Method + " " + strings.Replace(r.URL.Path, "/7", "/{sequence}", 1)
		if !described[route] {
			t.Errorf("%s is no operation of the API", route)
		}
		delete(missing, route)
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	c, err := client.New(client.Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range everyOperation() {
		if err := call(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	if len(missing) > 0 {
		t.Errorf("the client cannot do %s", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
}
