import { describe, expect, it } from 'vitest';
import { fillDefaults } from '../../../lib/jobs/spec/fill-defaults.js';

const schema = {
  type: 'object',
  properties: {
    plain: { type: 'integer', default: 3 },
    nullable: { anyOf: [{ type: 'number' }, { type: 'null' }], default: 4 },
    bare: { type: 'string' },
    inner: { type: 'object', default: {}, properties: { deep: { type: 'boolean', default: true } } },
    tagged: {
      type: 'object',
      default: { type: 'b' },
      oneOf: [
        { type: 'object', required: ['type'], properties: { type: { const: 'a' }, x: { type: 'integer', default: 1 } } },
        { type: 'object', required: ['type'], properties: { type: { const: 'b' }, y: { type: 'integer', default: 2 } } },
      ],
    },
    list: { type: 'array', default: [], items: { type: 'object', properties: { z: { type: 'integer', default: 5 } } } },
  },
};

describe('fillDefaults', () => {
  it('fills what is absent, inside defaults too, and leaves out what has none', () => {
    expect(fillDefaults(schema, {})).toEqual({ plain: 3, nullable: 4, inner: { deep: true }, tagged: { type: 'b', y: 2 }, list: [] });
  });

  it('keeps what is given, null and false included', () => {
    expect(fillDefaults(schema, { plain: 0, nullable: null, inner: { deep: false }, tagged: { type: 'a' }, list: [{}, { z: 0 }], bare: '' })).toEqual({
      plain: 0, nullable: null, bare: '', inner: { deep: false }, tagged: { type: 'a', x: 1 }, list: [{ z: 5 }, { z: 0 }],
    });
  });

  it('copies: neither the value nor the schema can be changed through the result', () => {
    const value = { list: [{ z: 1 }] };
    const filled = fillDefaults(schema, value) as { list: { z: number }[]; inner: { deep: boolean } };
    filled.list[0]!.z = 9;
    filled.inner.deep = false;
    expect(value.list[0]!.z).toBe(1);
    expect(fillDefaults(schema, {})).toMatchObject({ inner: { deep: true } });
  });

  it('puts keys in the order of the schema', () => {
    expect(Object.keys(fillDefaults(schema, { list: [], bare: 'x', plain: 1 }) as object)).toEqual(['plain', 'nullable', 'bare', 'inner', 'tagged', 'list']);
  });
});
