import { describe, expect, it } from 'vitest';
import { fileNameOf, isObjectLocation, objectAt, type DataBuckets } from '../../../lib/data/object-locations.js';
import { openDataPlaces } from '../../../lib/store/open.js';
import { memoryObjects } from './memory-objects.js';

const buckets = (store: DataBuckets['store']): DataBuckets => ({ names: ['data', 'more.data-2'], store, objects: memoryObjects({}) });
const refusal = (location: string, given: DataBuckets | null = buckets(null)): unknown => {
  try {
    return objectAt(location, given, 'data.path');
  } catch (error) {
    return error;
  }
};

describe('a location in a bucket', () => {
  it.each([
    ['s3://data/a.npz', 'data', 'a.npz'],
    ['S3://more.data-2/sets/2024/é ü?#%2e%2e.npz', 'more.data-2', 'sets/2024/é ü?#%2e%2e.npz'],
    ['s3://data/..npz/...', 'data', '..npz/...'],
  ])('is taken at its word: %s', (location, bucket, key) => {
    expect(isObjectLocation(location)).toBe(true);
    expect(objectAt(location, buckets(null), 'data.path')).toEqual({ bucket, key });
  });

  it.each([
    ['s3:data/a.npz', 'is not s3://bucket/key'],
    ['s3://data', 'is not s3://bucket/key'],
    ['s3://data/', 'is not s3://bucket/key'],
    ['s3:///a.npz', 'is not s3://bucket/key'],
    ['s3://Data/a.npz', 'is not s3://bucket/key'],
    ['s3://user:secret@data/a.npz', 'is not s3://bucket/key'],
    ['s3://other/a.npz', 'is in a bucket that holds no data for Pawl: PAWL_DATA_BUCKETS names data, more.data-2'],
    ['s3://data/../other/a.npz', 'has an empty segment, . or .. in its key'],
    ['s3://data/a/./b', 'has an empty segment, . or .. in its key'],
    ['s3://data//a', 'has an empty segment, . or .. in its key'],
    ['s3://data/a/', 'has an empty segment, . or .. in its key'],
    ['s3://data/%2e%2e/other/a.npz', 'has an empty segment, . or .. in its key'],
    ['s3://data/a%2F%2Fb', 'has an empty segment, . or .. in its key'],
    ['s3://data/..%2Fother/a.npz', 'has an empty segment, . or .. in its key'],
    ['s3://data/a%00b', 'has a control character or a backslash in its key'],
    ['s3://data/\ud800', 'is not well-formed Unicode'],
    ['s3://data/a\0b', 'has a control character or a backslash in its key'],
    ['s3://data/a\nb', 'has a control character or a backslash in its key'],
    ['s3://data/a\\b', 'has a control character or a backslash in its key'],
    [`s3://data/${'ü'.repeat(513)}`, 'has a key of more than 1024 bytes'],
  ])('is refused: %j', (location, why) => {
    expect(refusal(location)).toMatchObject({ code: 'invalid_location', param: 'data.path', message: expect.stringContaining(why) });
  });

  it('is refused where no bucket may be read', () => {
    expect(refusal('s3://data/a.npz', null)).toMatchObject({ code: 'invalid_location', message: expect.stringContaining('PAWL_DATA_BUCKETS names none') });
  });

  it('is refused in the store, and only there', () => {
    const own = buckets({ bucket: 'data', prefix: 'jobs/' });
    expect(refusal('s3://data/jobs/job_1/HEAD', own)).toMatchObject({ code: 'invalid_location', message: expect.stringContaining('lies in the store') });
    for (const spelling of ['jobs', 'JOBS/job_1/HEAD', '%6aobs/job_1/HEAD', 'jobs%2Fjob_1/HEAD', 'J%4Fbs/x']) expect(refusal(`s3://data/${spelling}`, own), spelling).toMatchObject({ code: 'invalid_location', message: expect.stringContaining('lies in the store') });
    expect(refusal('s3://data/100%', own)).toEqual({ bucket: 'data', key: '100%' });
    expect(refusal('s3://data/jobs-of-others/a.npz', own)).toEqual({ bucket: 'data', key: 'jobs-of-others/a.npz' });
    expect(refusal('s3://more.data-2/jobs/a.npz', own)).toEqual({ bucket: 'more.data-2', key: 'jobs/a.npz' });
    expect(refusal('s3://data/anything', buckets({ bucket: 'data', prefix: '' }))).toMatchObject({ code: 'invalid_location' });
  });

  it('knows the store by its URL', async () => {
    const open = async (store: string) => {
      const { buckets: opened } = await openDataPlaces({ roots: [], closed: [], buckets: ['data'], store, s3: { region: 'us-east-1' }, patienceMs: 0 });
      await opened!.objects.close();
      return opened!.store;
    };
    expect(await open('s3://data/a/b/')).toEqual({ bucket: 'data', prefix: 'a/b/' });
    expect(await open('s3://data')).toEqual({ bucket: 'data', prefix: '' });
    expect(await open('file:/somewhere')).toBeNull();
    expect(await openDataPlaces({ roots: ['/data'], closed: ['/data/store'], buckets: [], store: 's3://data', patienceMs: 0 })).toEqual({ roots: ['/data'], closed: ['/data/store'], buckets: null });
  });

  it('has copies with a name that any file system takes', () => {
    expect(fileNameOf({ bucket: 'data', key: 'a/train images (é).gz' })).toBe('train_images____.gz');
    expect(fileNameOf({ bucket: 'data', key: `a/${'x'.repeat(900)}.gz` })).toHaveLength(100);
  });
});
