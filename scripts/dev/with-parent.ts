// Loaded into each child of `npm start` (--import): ends it when its parent has gone without stopping it, so that not even
// `kill -9` leaves a service on a port. Children of the children load it too, and it does nothing there.

const parent = Number(process.env['TIDEGATE_DEV_PARENT'])

if (process.ppid === parent) {
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
  }, 1000).unref()
}
