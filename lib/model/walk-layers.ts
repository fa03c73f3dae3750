// All layers of a model, those inside of residuals too: depth first, a residual before its layers, these before its shortcut's.

interface MaybeResidual<L> {
  layers?: readonly L[];
  shortcut?: { readonly layers: readonly L[] } | null;
}

export interface WalkedLayer<L> {
  layer: L;
  /** Such as `model.layers.2.shortcut.layers.0`. */
  path: string;
  /** Residuals around it. */
  depth: number;
}

/** @param path of the list */
export function walkLayers<L extends object>(layers: readonly L[], path: string, depth = 0): WalkedLayer<L>[] {
  return layers.flatMap((layer, index) => {
    const { layers: body = [], shortcut } = layer as MaybeResidual<L>;
    const here = `${path}.${index}`;
    return [{ layer, path: here, depth }, ...walkLayers(body, `${here}.layers`, depth + 1), ...walkLayers(shortcut?.layers ?? [], `${here}.shortcut.layers`, depth + 1)];
  });
}
