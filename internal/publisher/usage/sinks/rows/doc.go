// Package rows has what reports of usage say as rows of three tables, which are never mixed: counts of evaluations, exposures and outcomes. Rows have no
// targeting key and nothing of an evaluation context, because reports have none.
package rows
