/** What a URL answers; a request that takes long has failed. */
export async function request(
  url: string,
  options: RequestInit = {},
): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...options });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
