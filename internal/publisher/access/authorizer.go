package access

// Authorizer answers questions by policies.
type Authorizer struct{}

// Authorize answers a question.
func (a *Authorizer) Authorize(q Question) Answer { return Answer{} }
