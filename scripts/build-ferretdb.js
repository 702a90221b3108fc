// Builds the FerretDB that tests use in MongoDB's place, and keeps it in the cache folder of the user:
// npm run build && node scripts/build-ferretdb.js
import { buildFerretdb } from '@dbmanager/testkit';

console.log(await buildFerretdb());
