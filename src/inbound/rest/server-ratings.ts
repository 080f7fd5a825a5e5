/** Stars for servers, under both spellings of the documents. Who rates is who calls: a `username` in the body is no name. */
import { z } from 'zod';
import { Stars } from '../../domain/rating.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';
import { RatingDetails, ServerShown, showServer, toRatingDetails } from './server-card.ts';
import { aboutPath, alsoAt, PathParams, toPath } from './server-route.ts';
import { starsInForm } from './written.ts';

const RateBody = z.strictObject({ rating: Stars, username: z.unknown().optional() });
const RateForm = RateBody.extend({ rating: starsInForm });
const RateAnswer = z.object({ message: z.string(), average_rating: z.number() });
const RatingAnswer = z.object({ num_stars: z.number(), rating_details: RatingDetails });
const Aggregate = z.object({ aggregate_rating: z.number(), rating_count: z.int(), rating_details: RatingDetails });

const tag = 'ratings';
const LIST = { kind: 'ui', action: 'list_service' } as const;

export function serverRatingRoutes({ ratings, read }: Registry): RestRoute[] {
  const rate = defineRoute({
    ...{ method: 'POST', path: '/api/servers/{path+}/rate', operation: 'servers/rate', tag, access: LIST },
    ...{ summary: 'Give a server 1 to 5 stars; a second time takes the place of the first', params: PathParams },
    ...{
      body: RateBody,
      form: RateForm,
      answers: { 200: { says: 'The mean of all.', schema: RateAnswer } },
      fails: ['NOT_FOUND'],
    },
    about: aboutPath,
    async run({ who, params, body }) {
      const path = toPath(params.path);
      const rated = await ratings.rate(who, path, body.rating);
      if (rated.kind === 'failure') return rated;
      return answer(200, { message: 'The rating is kept.', average_rating: rated.value.mean });
    },
  });
  return [
    rate,
    alsoAt(rate, '/api/v2/servers/{path+}/rate'),
    alsoAt(rate, '/api/v2/servers/{path+}/rating'),
    defineRoute({
      ...{ method: 'GET', path: '/api/servers/{path+}/rating', operation: 'servers/rating', tag, access: LIST },
      ...{ summary: 'Read the stars of a server', params: PathParams },
      answers: { 200: { says: 'The mean, and who gave what.', schema: RatingAnswer } },
      fails: ['NOT_FOUND'],
      async run({ who, params }) {
        const rated = await ratings.read(who, toPath(params.path));
        if (rated.kind === 'failure') return rated;
        const { mean, ratings: given } = rated.value;
        return answer(200, { num_stars: mean, rating_details: toRatingDetails(given) });
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/v2/servers/{path+}/rating', operation: 'servers/rating', tag, access: LIST },
      ...{ summary: 'Read the stars of a server', params: PathParams },
      answers: { 200: { says: 'The mean, how many, and who gave what.', schema: Aggregate } },
      fails: ['NOT_FOUND'],
      async run({ who, params }) {
        const rated = await ratings.read(who, toPath(params.path));
        if (rated.kind === 'failure') return rated;
        const { mean, ratings: given } = rated.value;
        const details = toRatingDetails(given);
        return answer(200, { aggregate_rating: mean, rating_count: given.length, rating_details: details });
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/v2/servers/{path+}', operation: 'servers/read', tag, access: LIST },
      ...{ summary: 'Read one server with its stars', params: PathParams },
      answers: { 200: { says: 'Its card and its stars.', schema: ServerShown.extend(Aggregate.shape) } },
      fails: ['NOT_FOUND'],
      async run({ who, params }) {
        const found = await read.find(who, toPath(params.path));
        if (found.kind === 'failure') return found;
        const shown = showServer(found.value, { tools: true });
        const { num_stars: mean, rating_details: details } = shown;
        return answer(200, { ...shown, aggregate_rating: mean, rating_count: details.length });
      },
    }),
  ];
}
