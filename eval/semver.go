package eval

import (
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

// versionTest compares two valid versions.
type versionTest func(a, b string) bool

// versionTestOf returns the test that an operator of sem_ver names, or nil. ^ and ~ compare only the major version and only the
// major and minor version, without a lower bound: that is flagd's definition.
func versionTestOf(operator string) versionTest {
	switch operator {
	case "=":
		return func(a, b string) bool { return semver.Compare(a, b) == 0 }
	case "!=":
		return func(a, b string) bool { return semver.Compare(a, b) != 0 }
	case "<":
		return func(a, b string) bool { return semver.Compare(a, b) < 0 }
	case "<=":
		return func(a, b string) bool { return semver.Compare(a, b) <= 0 }
	case ">":
		return func(a, b string) bool { return semver.Compare(a, b) > 0 }
	case ">=":
		return func(a, b string) bool { return semver.Compare(a, b) >= 0 }
	case "^":
		return func(a, b string) bool { return semver.Major(a) == semver.Major(b) }
	case "~":
		return func(a, b string) bool { return semver.MajorMinor(a) == semver.MajorMinor(b) }
	default:
		return nil
	}
}

// version returns v as a version that golang.org/x/mod/semver accepts, built in the Context's scratch memory. Without
// one the answer is that of null.
func (c *Context) version(v value) (string, bool) {
	if len(v.str) >= longText && !c.spendText(len(v.str)) {
		return "", false
	}
	start := len(c.scratch)
	c.scratch = append(c.scratch, 'v')
	switch v.kind {
	case kindString:
		c.scratch = append(c.scratch, withoutV(v.str)...)
	case kindNumber:
		c.scratch = strconv.AppendFloat(c.scratch, v.num, 'g', -1, 64)
	default:
		return "", false
	}
	s := alias(c.scratch[start:])
	return s, semver.IsValid(s)
}

// null is null, or the failure of an evaluation that takes too much work.
func (c *Context) null() value {
	if c.left < 0 {
		return failure(tooMuchWork)
	}
	return value{}
}

// withoutV drops one leading v or V.
func withoutV(s string) string {
	if rest, ok := strings.CutPrefix(s, "v"); ok {
		return rest
	}
	return strings.TrimPrefix(s, "V")
}

// applyVersion is {"sem_ver": [version, operator, version]}: null unless all three are valid.
func applyVersion(c *Context, arguments []value) value {
	if len(arguments) != 3 || arguments[1].kind != kindString {
		return value{}
	}
	a, ok := c.version(arguments[0])
	if !ok {
		return c.null()
	}
	b, ok := c.version(arguments[2])
	if !ok {
		return c.null()
	}
	test := versionTestOf(arguments[1].str)
	if test == nil {
		return value{}
	}
	return boolean(test(a, b))
}

// versionCompare is sem_ver with a constant operator and a constant second version.
type versionCompare struct {
	argument node
	operator string
	test     versionTest
	constant string
}

func (n *versionCompare) eval(c *Context) value {
	v := n.argument.eval(c)
	if v.kind == kindError {
		return v
	}
	start := len(c.scratch)
	version, ok := c.version(v)
	if !ok {
		return c.null()
	}
	c.scratch = c.scratch[:start]
	return boolean(n.test(version, n.constant))
}
