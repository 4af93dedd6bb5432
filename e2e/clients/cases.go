package main

import (
	"fmt"
	"slices"
)

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
		{"integer", `{"state":"ENABLED","variants":{"one":1,"answer":42},"defaultVariant":"answer"}`},
		{"large", `{"state":"ENABLED","variants":{"large":9007199254740991},"defaultVariant":"large"}`},
		{"negative", `{"state":"ENABLED","variants":{"negative":-9007199254740991},"defaultVariant":"negative"}`},
		{"past-doubles", `{"state":"ENABLED","variants":{"past":9007199254740993},"defaultVariant":"past"}`},
		{"zero", `{"state":"ENABLED","variants":{"zero":0},"defaultVariant":"zero"}`},
		{"unconditional", `{"state":"ENABLED","variants":{"same":"for all"},"defaultVariant":"same"}`},
		{"empty", `{"state":"ENABLED","variants":{"empty":""},"defaultVariant":"empty"}`},
		{"off", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`},
		{"float", `{"state":"ENABLED","variants":{"half":0.5,"pi":3.25},"defaultVariant":"pi"}`},
		{"whole", `{"state":"ENABLED","variants":{"ten":10.0},"defaultVariant":"ten"}`},
		{"object", `{"state":"ENABLED","variants":{"full":{"title":"Hello","limits":[1,2,3],"on":true}},"defaultVariant":"full"}`},
		{"targeted", `{"state":"ENABLED","variants":{"staff":"inner","public":"outer"},"defaultVariant":"public",
			"targeting":{"if":[{"ends_with":[{"var":"email"},"@example.com"]},"staff"]}}`},
		{"split", `{"state":"ENABLED","variants":{"a":"A","b":"B"},"defaultVariant":"a",
			"targeting":{"fractional":[["a",1],["b",99]]}}`},
		{"segmented", `{"state":"ENABLED","variants":{"yes":true,"no":false},"defaultVariant":"no",
			"targeting":{"if":[{"sem_ver":[{"var":"version"},">=","2.0.0"]},"yes","no"]}}`},
		{"tenanted", `{"state":"ENABLED","variants":{"shop":"the value of the shop","all":"that of all"},"defaultVariant":"all",
			"targeting":{"if":[{"==":[{"var":"tenant"},"shop"]},"shop"]}}`},
		{"regional", `{"state":"ENABLED","variants":{"europe":"Euro","else":"Dollar"},"defaultVariant":"else",
			"targeting":{"if":[{"==":[{"var":"region"},"eu"]},"europe"]}}`},
		{"nested", `{"state":"ENABLED","variants":{"gold":"gold","plain":"plain"},"defaultVariant":"plain",
			"targeting":{"if":[{"==":[{"var":"account.plan"},"gold"]},"gold"]}}`},
		{"listed", `{"state":"ENABLED","variants":{"yes":true,"no":false},"defaultVariant":"no",
			"targeting":{"if":[{"in":["staff",{"var":"groups"}]},"yes"]}}`},
		{"counted", `{"state":"ENABLED","variants":{"many":"many","few":"few"},"defaultVariant":"few",
			"targeting":{"if":[{"and":[{">=":[{"var":"orders"},10.5]},{"var":"paid"}]},"many"]}}`},
		{"frac-shorthand", `{"state":"ENABLED","variants":{"heads":"heads","tails":"tails"},"defaultVariant":"heads",
			"targeting":{"fractional":[["heads"],["tails",1]]}}`},
		{"code-default", `{"state":"ENABLED","variants":{"x":"unused"},"defaultVariant":null}`},
		{"disabled", `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"team/flag", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"flag one", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"größe-大", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"100%41+sure", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"why?not#now", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`},
		{"fraction", `{"state":"ENABLED","variants":{"half":3.5},"defaultVariant":"half"}`},
		{"number", `{"state":"ENABLED","variants":{"seven":7},"defaultVariant":"seven"}`},
		{"asked-wrongly", `{"state":"ENABLED","variants":{"red":"ff0000"},"defaultVariant":"red"}`},
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

// noIntegers are the cases that say nothing about JavaScript, which has only floating point numbers.
var noIntegers = []string{"integer of 54 bits", "fraction asked for as an integer"}

// appliesTo returns whether a language has what the case is about.
func (t testCase) appliesTo(c client) bool {
	return c.name != "Node.js" && c.name != "web" || !slices.Contains(noIntegers, t.name)
}

func cases() []testCase {
	user := map[string]any{"targetingKey": "user-1"}
	staff := map[string]any{"targetingKey": "user-1", "email": "ada@example.com", "version": "2.1.0"}
	guest := map[string]any{"targetingKey": "user-1", "email": "ada@example.org", "version": "1.9.0"}
	shopper := map[string]any{
		"targetingKey": "user-1", "account": map[string]any{"plan": "gold"}, "groups": []any{"shop", "staff"}, "orders": 11, "paid": true,
	}
	return []testCase{
		{"boolean", Question{"boolean", "boolean", false, user}, `true`, "on", "STATIC", ""},
		{"boolean that is false", Question{"boolean", "off", true, user}, `false`, "off", "STATIC", ""},
		{"string", Question{"string", "string", "none", user}, `"ff0000"`, "red", "STATIC", ""},
		{"empty string", Question{"string", "empty", "none", user}, `""`, "empty", "STATIC", ""},
		{"integer", Question{"integer", "integer", 7, user}, `42`, "answer", "STATIC", ""},
		{"integer 0", Question{"integer", "zero", 7, user}, `0`, "zero", "STATIC", ""},
		{"integer of 53 bits", Question{"integer", "large", 7, user}, `9007199254740991`, "large", "STATIC", ""},
		{"negative integer of 53 bits", Question{"integer", "negative", 7, user}, `-9007199254740991`, "negative", "STATIC", ""},
		{"integer of 54 bits", Question{"integer", "past-doubles", 7, user}, `9007199254740993`, "past", "STATIC", ""},
		{"float", Question{"float", "float", 0.25, user}, `3.25`, "pi", "STATIC", ""},
		{"float without a fraction", Question{"float", "whole", 0.25, user}, `10`, "ten", "STATIC", ""},
		{"object", Question{"object", "object", map[string]any{"none": true}, user}, `{"limits":[1,2,3],"on":true,"title":"Hello"}`, "full", "STATIC", ""},
		{"no context", Question{"string", "unconditional", "none", map[string]any{}}, `"for all"`, "same", "STATIC", ""},
		{"targeting match", Question{"string", "targeted", "none", staff}, `"inner"`, "staff", "TARGETING_MATCH", ""},
		{"targeting default", Question{"string", "targeted", "none", guest}, `"outer"`, "public", "DEFAULT", ""},
		{"version rule", Question{"boolean", "segmented", false, staff}, `true`, "yes", "TARGETING_MATCH", ""},
		{"numbers and booleans in the context", Question{"string", "counted", "none", shopper}, `"many"`, "many", "TARGETING_MATCH", ""},
		{"object in the context", Question{"string", "nested", "none", shopper}, `"gold"`, "gold", "TARGETING_MATCH", ""},
		{"list in the context", Question{"boolean", "listed", false, shopper}, `true`, "yes", "TARGETING_MATCH", ""},
		{"context enrichment", Question{"string", "regional", "none", user}, `"Euro"`, "europe", "TARGETING_MATCH", ""},
		{"split", Question{"string", "split", "none", user}, `"B"`, "b", "TARGETING_MATCH", ""},
		{"split of a name with umlauts", Question{"string", "frac-shorthand", "none", map[string]any{"targetingKey": "ünïcødé"}}, `"heads"`, "heads", "TARGETING_MATCH", ""},
		{"split of a name in Japanese", Question{"string", "frac-shorthand", "none", map[string]any{"targetingKey": "日本語"}}, `"tails"`, "tails", "TARGETING_MATCH", ""},
		{"code default", Question{"string", "code-default", "mine", user}, `"mine"`, "", "DEFAULT", ""},
		{"disabled", Question{"boolean", "disabled", true, user}, `true`, "", "DISABLED", ""},
		{"key with a slash", Question{"boolean", "team/flag", false, user}, `true`, "on", "STATIC", ""},
		{"key with a space", Question{"boolean", "flag one", false, user}, `true`, "on", "STATIC", ""},
		{"key in other scripts", Question{"boolean", "größe-大", false, user}, `true`, "on", "STATIC", ""},
		{"key with a percent sign", Question{"boolean", "100%41+sure", false, user}, `true`, "on", "STATIC", ""},
		{"key with ? and #", Question{"boolean", "why?not#now", false, user}, `true`, "on", "STATIC", ""},
		{"not found", Question{"boolean", "missing", true, user}, `true`, "", "ERROR", "FLAG_NOT_FOUND"},
		{"type mismatch", Question{"boolean", "asked-wrongly", true, user}, `true`, "", "ERROR", "TYPE_MISMATCH"},
		{"fraction asked for as an integer", Question{"integer", "fraction", 7, user}, `7`, "", "ERROR", "TYPE_MISMATCH"},
		{"number asked for as a string", Question{"string", "number", "none", user}, `"none"`, "", "ERROR", "TYPE_MISMATCH"},
	}
}
