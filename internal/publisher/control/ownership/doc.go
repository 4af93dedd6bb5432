// Package ownership knows who owns a document: the member [document.SourceMember] names the source.
//
// The names that people give to their sources are labels. A publisher that follows a source itself gives it a name of a reserved form, [Followed],
// and what has such an owner is read-only for everyone else. When someone breaks the glass, the owner becomes that name in another reserved form,
// [Taken]: the document is out of the hands of its source until it is given back.
//
// The package is pure, and everything in it is a value.
package ownership
