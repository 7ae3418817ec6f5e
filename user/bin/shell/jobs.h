/*
 * jobs.h - pipelines that run.
 *
 * A thread of the shell hears of each program's end, marks the pipes that it
 * had as gone, and frees it; main waits by a notification, which ctrl-C
 * signals, too. `jobs_lock` guards the table. Where a person types, each job
 * is a group of the console.
 */
#pragma once

#include "user/bin/shell/parse.h"
#include "user/lib/weir_user.h"

/* Starts the thread. `interactive`: jobs get the foreground, ctrl-C ends
 * the one that has it. False: out of memory. */
bool jobs_start(bool interactive);

/* Runs a pipeline: its last command's status; in the background 0, at once.
 * `text`: what `jobs` shows. */
int jobs_run(struct pipeline *p, const char *text);

/* Was ctrl-C typed since the last call? */
bool jobs_interrupted(void);
void jobs_report(void); /* tells which jobs in the background have ended */

/* The commands; `number` 0: the last one, or all. A status. */
int jobs_list(void);
int jobs_wait(int number);
int jobs_front(int number);
int jobs_kill(int number);
