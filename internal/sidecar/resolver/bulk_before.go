package resolver

import (
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// lastAnswer is the last answer that a BulkRequest has made. Contexts of one application are alike: a flag is not evaluated again whose result
// rested on attributes that are the same in the next. The zero value is no answer.
type lastAnswer struct {
	layout      *layout // nil is no answer
	application usage.Application
	context     eval.Context
	items       []itemAnswer // by the place of the part
}

// itemAnswer is the item of one flag, with what it rested on. The zero value is one that nothing is known of.
type itemAnswer struct {
	item    *item // nil if it may be another at any moment
	reads   eval.Attributes
	counted usage.Counted
}

// holds reports whether the item is the same in a context in which some attributes differ.
func (a *itemAnswer) holds(differ eval.Attributes) bool { return a.item != nil && a.reads&differ == 0 }

// begin returns the items of the last answer, to be replaced by those of the next, and the attributes in which the next context differs.
func (l *lastAnswer) begin(next *layout, a usage.Application, c *eval.Context) ([]itemAnswer, eval.Attributes) {
	if l.layout != next || l.application != a {
		if cap(l.items) < len(next.parts) {
			l.items = make([]itemAnswer, len(next.parts))
		}
		clear(l.items[:cap(l.items)])
		l.items = l.items[:len(next.parts)]
	}
	l.layout = nil // until it is whole
	return l.items, c.Differences(&l.context)
}

// maxKeptItems bounds the memory for items that a request keeps.
const maxKeptItems = 16 << 10

// end takes over the context of an answer that is whole.
func (l *lastAnswer) end(next *layout, a usage.Application, c *eval.Context) {
	if len(l.items) > maxKeptItems {
		*l = lastAnswer{}
		return
	}
	l.layout, l.application = next, a
	l.context, *c = *c, l.context
}

// answerOf returns what the next answer may repeat of the flag that was just evaluated.
func (q *BulkRequest) answerOf(r *eval.Result, p *part, i *item, counted usage.Counted) itemAnswer {
	if r.ClockRead || p.mayBeStale {
		return itemAnswer{}
	}
	return itemAnswer{item: i, reads: q.context.Reads(), counted: counted}
}
