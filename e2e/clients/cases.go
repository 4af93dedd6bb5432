package main

import "fmt"

// definition is one flag that is published before any client starts.
type definition struct{ key, document string }

// changing is the flag that the tests of changes write; volatile(n) is what it answers.
const changing = "changing"

func volatile(n int) string {
	return fmt.Sprintf(`{"state":"ENABLED","variants":{"v%d":"value %d"},"defaultVariant":"v%d"}`, n, n, n)
}

func flags() []definition {
	return []definition{
		{"boolean", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"string", `{"state":"ENABLED","variants":{"red":"ff0000","blue":"0000ff"},"defaultVariant":"red"}`},
		{"integer", `{"state":"ENABLED","variants":{"one":1,"big":4503599627370497},"defaultVariant":"big"}`},
		{"float", `{"state":"ENABLED","variants":{"half":0.5,"pi":3.25},"defaultVariant":"pi"}`},
		{"object", `{"state":"ENABLED","variants":{"full":{"title":"Hello","limits":[1,2,3],"on":true}},"defaultVariant":"full"}`},
		{"targeted", `{"state":"ENABLED","variants":{"staff":"inner","public":"outer"},"defaultVariant":"public",
			"targeting":{"if":[{"ends_with":[{"var":"email"},"@example.com"]},"staff"]}}`},
		{"split", `{"state":"ENABLED","variants":{"a":"A","b":"B"},"defaultVariant":"a",
			"targeting":{"fractional":[["a",1],["b",99]]}}`},
		{"segmented", `{"state":"ENABLED","variants":{"yes":true,"no":false},"defaultVariant":"no",
			"targeting":{"if":[{"sem_ver":[{"var":"version"},">=","2.0.0"]},"yes","no"]}}`},
		{"tenanted", `{"state":"ENABLED","variants":{"shop":"the value of the shop","all":"that of all"},"defaultVariant":"all",
			"targeting":{"if":[{"==":[{"var":"tenant"},"shop"]},"shop"]}}`},
		{"code-default", `{"state":"ENABLED","variants":{"x":"unused"},"defaultVariant":null}`},
		{"disabled", `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"team/flag one", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"asked wrongly", `{"state":"ENABLED","variants":{"red":"ff0000"},"defaultVariant":"red"}`},
		{changing, volatile(0)},
	}
}

// testCase is a question and what every client must make of the sidecar's answer.
type testCase struct {
	name     string
	question Question
	value    string // JSON
	variant  string // not compared when there is an error code
	reason   string
	code     string
}

func cases() []testCase {
	user := map[string]any{"targetingKey": "user-1"}
	staff := map[string]any{"targetingKey": "user-1", "email": "ada@example.com", "version": "2.1.0"}
	guest := map[string]any{"targetingKey": "user-1", "email": "ada@example.org", "version": "1.9.0"}
	return []testCase{
		{"boolean", Question{"boolean", "boolean", false, user}, `true`, "on", "STATIC", ""},
		{"string", Question{"string", "string", "none", user}, `"ff0000"`, "red", "STATIC", ""},
		{"integer", Question{"integer", "integer", 7, user}, `4503599627370497`, "big", "STATIC", ""},
		{"float", Question{"float", "float", 0.25, user}, `3.25`, "pi", "STATIC", ""},
		{"object", Question{"object", "object", map[string]any{}, user}, `{"limits":[1,2,3],"on":true,"title":"Hello"}`, "full", "STATIC", ""},
		{"targeting match", Question{"string", "targeted", "none", staff}, `"inner"`, "staff", "TARGETING_MATCH", ""},
		{"targeting default", Question{"string", "targeted", "none", guest}, `"outer"`, "public", "DEFAULT", ""},
		{"split", Question{"string", "split", "none", user}, `"B"`, "b", "TARGETING_MATCH", ""},
		{"version rule", Question{"boolean", "segmented", false, staff}, `true`, "yes", "TARGETING_MATCH", ""},
		{"code default", Question{"string", "code-default", "mine", user}, `"mine"`, "", "DEFAULT", ""},
		{"disabled", Question{"boolean", "disabled", true, user}, `true`, "", "DISABLED", ""},
		{"key with a slash", Question{"boolean", "team/flag one", false, user}, `true`, "on", "STATIC", ""},
		{"not found", Question{"boolean", "missing", true, user}, `true`, "", "ERROR", "FLAG_NOT_FOUND"},
		{"type mismatch", Question{"boolean", "asked wrongly", true, user}, `true`, "", "ERROR", "TYPE_MISMATCH"},
	}
}
