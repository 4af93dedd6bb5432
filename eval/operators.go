package eval

import "strings"

// operator describes one operator whose arguments are all evaluated before it runs.
type operator struct {
	// list applies the operator to a list of arguments.
	list func(c *Context, arguments []value) value
	// single applies it to an argument that is no list. Nil means that this fails.
	single func(c *Context, argument value) value
	// least and most are the numbers of arguments that the operator is defined for; most 0 means any.
	least, most int
}

// operatorOf returns the description of an operator that evaluates all its arguments, and whether there is one.
func operatorOf(name string) (operator, bool) {
	switch name {
	case "==", "!=", "===", "!==", "<", "<=", ">", ">=":
		return comparisonOf(name), true
	case "+", "-", "*", "/", "%", "max", "min", "abs":
		return arithmeticOf(name), true
	case "!":
		return operator{list: applyNot, single: notOne, least: 1, most: 1}, true
	case "!!":
		return operator{list: applyTruth, single: truthOne, least: 1, most: 1}, true
	case "in":
		return operator{list: applyIn, least: 2, most: 2}, true
	case "merge":
		return operator{list: applyMerge, single: mergeOne}, true
	case "cat":
		return operator{list: applyConcatenate, single: concatenateOne, least: 1}, true
	case "substr":
		return operator{list: applySubstring, least: 2, most: 3}, true
	case "set":
		return operator{list: applySet, least: 3, most: 3}, true
	case "contains_all":
		o := contains{each: true, stop: false}
		return operator{list: o.apply, single: o.one, least: 2, most: 2}, true
	case "contains_any":
		o := contains{each: false, stop: true}
		return operator{list: o.apply, single: o.one, least: 2, most: 2}, true
	case "contains_none":
		o := contains{each: true, stop: true, invalid: true}
		return operator{list: o.apply, single: o.one, least: 2, most: 2}, true
	case "starts_with":
		return operator{list: applyAffix(strings.HasPrefix), single: nullOne, least: 2, most: 2}, true
	case "ends_with":
		return operator{list: applyAffix(strings.HasSuffix), single: nullOne, least: 2, most: 2}, true
	case "sem_ver":
		return operator{list: applyVersion, single: nullOne, least: 3, most: 3}, true
	default:
		return operator{}, false
	}
}

func comparisonOf(name string) operator {
	switch name {
	case "==":
		return operator{list: pair(looselyEqual, false), least: 2, most: 2}
	case "!=":
		return operator{list: pair(looselyDifferent, true), least: 2, most: 2}
	case "===":
		return operator{list: pair(strictlyEqual, false), single: falseOne, least: 2, most: 2}
	case "!==":
		return operator{list: pair(strictlyDifferent, true), single: trueOne, least: 2, most: 2}
	case "<":
		return operator{list: between(less), least: 2, most: 3}
	case "<=":
		return operator{list: between(lessOrEqual), least: 2, most: 3}
	case ">":
		return operator{list: between(greater), least: 2, most: 3}
	default:
		return operator{list: between(greaterOrEqual), least: 2, most: 3}
	}
}

func falseOne(*Context, value) value { return boolean(false) }

func trueOne(*Context, value) value { return boolean(true) }

func arithmeticOf(name string) operator {
	switch name {
	case "+":
		return operator{list: fold(add, identity, number(0)), single: numberOne, least: 1}
	case "-":
		return operator{list: fold(subtract, negate, number(0)), least: 1}
	case "*":
		return operator{list: fold(multiply, identity, number(1)), least: 1}
	case "/":
		return operator{list: fold(divide, identity, number(0)), least: 2}
	case "max":
		return operator{list: fold(larger, identity, value{}), least: 1}
	case "min":
		return operator{list: fold(smaller, identity, value{}), least: 1}
	case "%":
		return operator{list: applyModulo, least: 2, most: 2}
	default:
		return operator{list: applyAbsolute, single: absoluteOne, least: 1, most: 1}
	}
}

// compareTest returns the test of a comparison with exactly two arguments, or nil.
func compareTest(name string) func(a, b value) bool {
	switch name {
	case "==":
		return looselyEqual
	case "!=":
		return looselyDifferent
	case "===":
		return strictlyEqual
	case "!==":
		return strictlyDifferent
	case "<":
		return less
	case "<=":
		return lessOrEqual
	case ">":
		return greater
	case ">=":
		return greaterOrEqual
	default:
		return nil
	}
}

// operatorNames lists all operators, for the hint of a problem about one that does not exist.
const operatorNames = "var, missing, missing_some, if, ?:, and, or, !, !!, ==, ===, !=, !==, <, <=, >, >=, +, -, *, /, %, abs, min, max, " +
	"in, cat, substr, merge, map, filter, reduce, all, none, some, contains_all, contains_any, contains_none, set, " +
	"starts_with, ends_with, sem_ver, fractional, $ref"
