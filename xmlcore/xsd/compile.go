package xsd

import (
	"errors"
	"fmt"
)

func (c *compiler) symbol(q qname) int32 {
	id, ok := c.syms[q]
	if !ok {
		id = int32(len(c.names))
		c.syms[q] = id
		c.names = append(c.names, q)
	}
	return id
}

func (c *compiler) compile(entries []string) (*Schema, error) {
	if len(entries) == 0 {
		return nil, errors.New("xsd: no schema document named")
	}
	for _, file := range entries {
		_, err := c.load(file, "")
		var se *SchemaError
		switch {
		case c.limit != nil:
			return nil, c.limit
		case errors.As(err, &se):
			c.findings = append(c.findings, se.Findings...)
		case err != nil:
			return nil, fmt.Errorf("xsd: %w", err)
		}
	}
	c.importWanted()
	c.make()
	if c.limit != nil {
		return nil, c.limit
	}
	if len(c.findings) > 0 {
		return nil, &SchemaError{c.findings, c.more}
	}
	return c.schema(), nil
}

// make builds all components, then checks what needs them complete.
func (c *compiler) make() {
	for i := 0; i < len(c.order); i++ {
		e := c.order[i]
		switch e.node.Local() {
		case "simpleType", "complexType":
			c.complete(c.typeOf(e), e.node)
		case "element":
			c.elementOf(e)
		case "attribute":
			c.attributeOf(e)
		case "attributeGroup":
			c.attributesOf(e, e.node)
		case "group":
			c.groupOf(e, e.node)
		}
		if c.limit != nil {
			return
		}
	}
	for i := 0; i < len(c.later) && c.limit == nil; i++ {
		c.later[i]()
	}
	for i := 0; i < len(c.checks) && c.limit == nil; i++ {
		c.checks[i]()
	}
	for _, t := range c.types {
		if c.limit != nil {
			return
		}
		c.compileModel(t)
		if c.limit != nil {
			return
		}
		c.consistent(t)
		c.restrictedContent(t)
	}
}

func (c *compiler) schema() *Schema {
	s := &Schema{
		elements: map[int32]*element{}, attributes: map[int32]*attribute{}, types: map[qname]typeDef{}, notations: map[qname]bool{},
		referred: map[*constraint]bool{}, files: c.files, constraints: len(c.constraints) > 0,
	}
	for q, e := range c.named[sElement] {
		e.element.sym = c.symbol(q)
		s.elements[e.element.sym] = e.element
	}
	for _, e := range c.locals {
		e.sym = c.symbol(e.name)
	}
	for q, e := range c.named[sAttribute] {
		s.attributes[c.symbol(q)] = e.attr
	}
	for q, e := range c.named[sType] {
		s.types[q] = e.typ
	}
	for q := range c.named[sNotation] {
		s.notations[q] = true
	}
	for _, k := range c.constraints {
		if k.refer != nil {
			s.referred[k.refer] = true
		}
	}
	for _, t := range c.types {
		t.byName = make(map[int32]*attributeUse, len(t.attrs))
		for _, u := range t.attrs {
			if v, fixed := u.constraintValue(); v != nil && fixed {
				u.fixedValue, _ = u.attr.typ.check(*v, &input{node: u.node}, true)
			}
			t.byName[c.symbol(u.attr.name)] = u
			typ := u.attr.typ
			if v, _ := u.constraintValue(); v != nil && (typ.lex == lexIDREF || typ.variety == list && typ.item.lex == lexIDREF) {
				t.refDefaults = append(t.refDefaults, u)
			}
		}
		t.must = 0
		for _, u := range t.attrs {
			if u.required {
				t.must++
			}
		}
	}
	s.syms, s.names = c.syms, c.names
	return s
}
