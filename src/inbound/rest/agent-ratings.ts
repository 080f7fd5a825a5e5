/** Stars for agents, under both spellings of the documents. Who rates is who calls: a `username` in the body is no name. */
import { z } from 'zod';
import { meanStars, type Rating, Stars } from '../../domain/rating.ts';
import type { Agents } from '../../services/registry/agents.ts';
import { AgentCard, toCard } from './agent-views.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';
import { RatingDetails, toRatingDetails } from './server-card.ts';
import { etagOf } from './server-route.ts';
import { starsInForm } from './written.ts';

const tag = 'agents';
const Path = z.object({ path: z.string() });
const RateBody = z.looseObject({ rating: Stars });
const RateForm = RateBody.extend({ rating: starsInForm });
const RatingList = z.object({ num_stars: z.number(), rating_details: RatingDetails });
const Aggregate = z.object({ aggregate_rating: z.number(), rating_count: z.int(), rating_details: RatingDetails });

export function agentRatingRoutes(agents: Agents): RestRoute[] {
  const usual = { tag, access: { kind: 'ui', action: 'get_agent' }, params: Path } as const;
  return [
    ...['/api/agents/{path+}/rate', '/api/v2/agents/{path+}/rate', '/api/v2/agents/{path+}/rating'].map(path =>
      defineRoute({
        ...{ ...usual, method: 'POST' as const, path, operation: 'agents/rate' },
        ...{ summary: 'Give an agent stars', body: RateBody, form: RateForm },
        answers: { 200: { says: 'The mean.', schema: z.object({ message: z.string(), average_rating: z.number() }) } },
        fails: ['NOT_FOUND'],
        async run({ who, params, body, note }) {
          note({ target: `/${params.path}` });
          const rated = await agents.rate(who, params.path, body.rating);
          if (rated.kind === 'failure') return rated;
          return answer(200, { message: 'Rating added successfully', average_rating: meanStars(rated.value) });
        },
      }),
    ),
    defineRoute({
      ...{ ...usual, method: 'GET', path: '/api/agents/{path+}/rating', operation: 'agents/rating' },
      summary: 'Read the stars of an agent',
      answers: { 200: { says: 'The mean, and who gave what.', schema: RatingList } },
      fails: ['NOT_FOUND'],
      async run({ who, params }) {
        const found = await agents.ratings(who, params.path);
        if (found.kind === 'failure') return found;
        return answer(200, { num_stars: meanStars(found.value), rating_details: toRatingDetails(found.value) });
      },
    }),
    defineRoute({
      ...{ ...usual, method: 'GET', path: '/api/v2/agents/{path+}/rating', operation: 'agents/rating' },
      summary: 'Read the stars of an agent',
      answers: { 200: { says: 'The mean, how many, and who gave what.', schema: Aggregate } },
      fails: ['NOT_FOUND'],
      async run({ who, params }) {
        const found = await agents.ratings(who, params.path);
        return found.kind === 'failure' ? found : answer(200, aggregate(found.value));
      },
    }),
    defineRoute({
      ...{ ...usual, method: 'GET', path: '/api/v2/agents/{path+}', operation: 'agents/get' },
      summary: 'Read the card of an agent with its stars',
      answers: { 200: { says: 'Its card and its stars.', schema: AgentCard.extend(Aggregate.shape), etag: 'always' } },
      fails: ['NOT_FOUND'],
      async run({ who, params: { path }, note }) {
        note({ target: `/${path}` });
        const found = await agents.find(who, path);
        if (found.kind === 'failure') return found;
        const { value } = found;
        const ratings = await agents.ratingsOf(value);
        return answer(200, { ...toCard(value, { ratings }), ...aggregate(ratings) }, etagOf(value.revision));
      },
    }),
  ];
}

const aggregate = (ratings: readonly Rating[]): z.output<typeof Aggregate> => ({
  ...{ aggregate_rating: meanStars(ratings), rating_count: ratings.length, rating_details: toRatingDetails(ratings) },
});
