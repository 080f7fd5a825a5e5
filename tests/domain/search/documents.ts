/** Tools of a small office, for everything that ranks. */
import { type SearchDocument, toolDocument } from '../../../src/domain/search/document.ts';
import { createInvertedIndex } from '../../../src/domain/search/inverted-index.ts';
import { createView, findVisible, type View } from '../../../src/domain/search/view.ts';

export const tool = (server: string, name: string, description: string, parameters: Record<string, string> = {}) =>
  toolDocument({
    id: `${server}__${name}`,
    server,
    item: {
      name,
      description,
      inputSchema: {
        type: 'object',
        properties: Object.fromEntries(
          Object.entries(parameters).map(([parameter, text]) => [parameter, { type: 'string', description: text }]),
        ),
      },
    },
  });

export const OFFICE: readonly SearchDocument[] = [
  tool('tracker', 'create_issue', 'Open a new bug ticket in a repository.', { title: 'What is wrong' }),
  tool('tracker', 'list_issues', 'List the open tickets of a repository.', { label: 'Only those with this label' }),
  tool('tracker', 'close_issue', 'Close a ticket as done.', { number: 'Number of the ticket' }),
  tool('weather', 'forecast', 'Rain, wind and temperature for the coming days.', { city: 'Name of a city' }),
  tool('weather', 'current_conditions', 'Temperature and wind right now.', { city: 'Name of a city' }),
  tool('files', 'read_file', 'Return the content of a file.', { path: 'Where the file lies' }),
  tool('files', 'write_file', 'Write text into a file, making it if need be.', { path: 'Where the file lies' }),
  tool('files', 'search_files', 'Find files by name or content.', { pattern: 'Glob pattern' }),
  tool('mail', 'send_message', 'Send an email to somebody.', { recipient: 'Email address' }),
  tool('clock', 'current_time_by_timezone', 'The time of day in a time zone.', { tz_name: 'Name of the time zone' }),
];

export function viewOf(
  documents: readonly SearchDocument[],
  isVisible: (d: SearchDocument) => boolean = () => true,
): View {
  const index = createInvertedIndex();
  for (const document of documents) index.add(document);
  return createView(index, findVisible(index, isVisible));
}
