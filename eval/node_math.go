package eval

import "math"

const needsNumbers = "arithmetic needs numbers"

// fold returns the operator that combines all arguments from the left. With one argument the result is one(argument), with none it
// is empty.
func fold(combine func(a, b float64) float64, one func(float64) float64, empty value) func(*Context, []value) value {
	return func(_ *Context, arguments []value) value {
		if len(arguments) == 0 {
			return empty
		}
		result, ok := arguments[0].operand()
		if !ok {
			return failure(needsNumbers)
		}
		if len(arguments) == 1 {
			return number(one(result))
		}
		for _, argument := range arguments[1:] {
			n, ok := argument.operand()
			if !ok {
				return failure(needsNumbers)
			}
			result = combine(result, n)
		}
		return number(result)
	}
}

func identity(a float64) float64 { return a }

func negate(a float64) float64 { return -1 * a }

func add(a, b float64) float64 { return a + b }

func subtract(a, b float64) float64 { return a - b }

func multiply(a, b float64) float64 { return a * b }

func divide(a, b float64) float64 { return a / b }

func larger(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

func smaller(a, b float64) float64 {
	if a > b {
		return b
	}
	return a
}

func applyModulo(_ *Context, arguments []value) value {
	if len(arguments) < 2 {
		return failure("% needs two numbers")
	}
	a, okA := arguments[0].operand()
	b, okB := arguments[1].operand()
	if !okA || !okB {
		return failure(needsNumbers)
	}
	return number(math.Mod(a, b))
}

func applyAbsolute(c *Context, arguments []value) value {
	if len(arguments) == 0 {
		return failure("abs needs a number")
	}
	return absoluteOne(c, arguments[0])
}

func absoluteOne(_ *Context, v value) value {
	n, ok := v.operand()
	if !ok {
		return failure(needsNumbers)
	}
	return number(math.Abs(n))
}

func numberOne(_ *Context, v value) value {
	n, ok := v.operand()
	if !ok {
		return failure(needsNumbers)
	}
	return number(n)
}
