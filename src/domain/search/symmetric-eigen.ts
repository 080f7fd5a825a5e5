/**
 * All eigenvalues and eigenvectors of a small symmetric matrix: Householder reflections to three diagonals, then the
 * implicit QL method on those. Source: G. Golub, C. Van Loan, "Matrix Computations", chapter 8.
 */

/** `vectors`: row-major, one eigenvector per column, in the order of `values` (which is not sorted). */
export interface Eigen {
  values: Float64Array;
  vectors: Float64Array;
}

const MAX_ROUNDS = 60;

/** `matrix`: row-major n x n, symmetric; left as it was. */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const { diagonal, offDiagonal, basis } = tridiagonalise(matrix, n);
  diagonalise(diagonal, offDiagonal, basis, n);
  return { values: diagonal, vectors: basis };
}

/** A = Q T Qᵀ: column by column, a reflection clears what lies below the first sub-diagonal. */
function tridiagonalise(matrix: Float64Array, n: number) {
  const a = Float64Array.from(matrix);
  const basis = new Float64Array(n * n);
  for (let i = 0; i < n; i++) basis[i * n + i] = 1;
  const v = new Float64Array(n);
  const p = new Float64Array(n);

  for (let k = 0; k + 2 < n; k++) {
    let norm = 0;
    for (let i = k + 1; i < n; i++) norm += at(a, i * n + k) ** 2;
    norm = Math.sqrt(norm);
    if (norm === 0) continue;
    const head = at(a, (k + 1) * n + k);
    const alpha = head > 0 ? -norm : norm;
    let size = 0;
    for (let i = k + 1; i < n; i++) {
      v[i] = at(a, i * n + k) - (i === k + 1 ? alpha : 0);
      size += at(v, i) ** 2;
    }
    if (size === 0) continue;
    const beta = 2 / size;

    // A <- H A H with H = 1 - beta v vᵀ, through w = beta A v - (beta/2)(vᵀ beta A v) v.
    let dot = 0;
    for (let i = k; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += at(a, i * n + j) * at(v, j);
      p[i] = beta * sum;
      if (i > k) dot += at(p, i) * at(v, i);
    }
    v[k] = 0;
    for (let i = k; i < n; i++) p[i] = at(p, i) - 0.5 * beta * dot * at(v, i);
    for (let i = k; i < n; i++) {
      for (let j = k; j < n; j++) a[i * n + j] = at(a, i * n + j) - at(v, i) * at(p, j) - at(p, i) * at(v, j);
    }
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += at(basis, i * n + j) * at(v, j);
      for (let j = k + 1; j < n; j++) basis[i * n + j] = at(basis, i * n + j) - beta * sum * at(v, j);
    }
  }
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(n);
  for (let i = 0; i < n; i++) diagonal[i] = at(a, i * n + i);
  for (let i = 0; i + 1 < n; i++) offDiagonal[i] = at(a, (i + 1) * n + i);
  return { diagonal, offDiagonal, basis };
}

/** QL with implicit shifts: rotations chase the off-diagonal out at the bottom, value by value. */
function diagonalise(d: Float64Array, e: Float64Array, basis: Float64Array, n: number): void {
  for (let low = 0; low < n; low++) {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let high = low;
      while (
        high + 1 < n &&
        Math.abs(at(e, high)) > Number.EPSILON * (Math.abs(at(d, high)) + Math.abs(at(d, high + 1)))
      )
        high += 1;
      if (high === low) break;

      const half = (at(d, low + 1) - at(d, low)) / (2 * at(e, low));
      const root = Math.hypot(half, 1);
      let g = at(d, high) - at(d, low) + at(e, low) / (half + (half < 0 ? -root : root));
      let sine = 1;
      let cosine = 1;
      let shift = 0;
      let i = high - 1;
      for (; i >= low; i--) {
        const f = sine * at(e, i);
        const b = cosine * at(e, i);
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] = at(d, i + 1) - shift;
          e[high] = 0;
          break;
        }
        sine = f / r;
        cosine = g / r;
        g = at(d, i + 1) - shift;
        const turn = (at(d, i) - g) * sine + 2 * cosine * b;
        shift = sine * turn;
        d[i + 1] = g + shift;
        g = cosine * turn - b;
        for (let row = 0; row < n; row++) {
          const right = at(basis, row * n + i + 1);
          const left = at(basis, row * n + i);
          basis[row * n + i + 1] = sine * left + cosine * right;
          basis[row * n + i] = cosine * left - sine * right;
        }
      }
      if (i >= low) continue;
      d[low] = at(d, low) - shift;
      e[low] = g;
      e[high] = 0;
    }
  }
}

/** Every index above is inside by construction; the checked read would only hide a mistake in it. */
function at(values: Float64Array, index: number): number {
  return values[index] as number;
}
