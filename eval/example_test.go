package eval_test

import (
	"fmt"
	"time"

	"github.com/flagside/flagside/eval"
)

const exampleFile = `{"flags": {"checkout": {
	"state": "ENABLED",
	"variants": {"new": true, "old": false},
	"defaultVariant": "old",
	"targeting": {"if": [{"==": [{"var": "plan"}, "pro"]}, "new"]}
}}}`

func Example() {
	documents, problems := eval.ParseFile([]byte(exampleFile), "")
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	rules, _ := eval.New().Update(documents)
	var c eval.Context
	if err := rules.DecodeContext(&c, []byte(`{"targetingKey": "jon", "plan": "pro"}`)); err != nil {
		fmt.Println(err)
		return
	}
	result := rules.Flag("checkout").Evaluate(&c, time.Now())
	fmt.Printf("%s %s %s\n", result.Variant.Name(), result.Value(), result.Reason)
	// Output: new true TARGETING_MATCH
}

func ExampleFlag_Explain() {
	documents, _ := eval.ParseFile([]byte(exampleFile), "")
	rules, _ := eval.New().Update(documents)
	var c eval.Context
	if err := rules.DecodeContext(&c, []byte(`{"plan": "free"}`)); err != nil {
		fmt.Println(err)
		return
	}
	explanation := rules.Flag("checkout").Explain(&c, time.Now())
	condition := explanation.Rule.Inputs[0]
	fmt.Printf("%s: %s %s %s is %s\n", explanation.Variant, condition.Inputs[0].Result, condition.Operator, condition.Inputs[1].Result, condition.Result)
	// Output: old: "free" == "pro" is false
}
