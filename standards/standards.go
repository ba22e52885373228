// Package standards holds the index of the clauses that the code obeys, and the tests that keep it and the documents
// true: index.tsv says for each clause whether it is done and where, specs.tsv what an abbreviation stands for.
//
// A clause is cited beside the line that obeys it, as "[SPEC section]". Several are "[SPEC section, section]" or
// "[SPEC section, SPEC section]".
package standards
