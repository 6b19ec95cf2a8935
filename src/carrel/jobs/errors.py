"""What can go wrong with work that is done later."""

from carrel.core.errors import Problem


class JobNotFound(Problem):
    code, title, status = "job-not-found", "Job not found", 404


class JobFinished(Problem):
    """A job that has ended cannot be cancelled any more."""

    code, title, status = "job-finished", "The job has ended already", 409


class JobNotRetryable(Problem):
    """Only a job that failed or was cancelled can be run again."""

    code, title, status = "job-not-retryable", "The job cannot be run again", 409


class JobDuplicate(Problem):
    """Another job with the same unique key is waiting or running."""

    code, title, status = "job-duplicate", "The same work is under way", 409


class TooManyFollowers(Problem):
    """This process keeps as many streams of events open as it may."""

    code, title, status = "too-many-followers", "Too many jobs are being followed", 503


class JobCancelled(Problem):
    """Somebody asked for the end of this job. Nothing of the step that was under way is kept."""

    code, title, status = "job-cancelled", "The job was cancelled", 409


class JobLost(Problem):
    """The job is no longer in the hands of this worker. Nothing of the step that was under way is kept."""

    code, title, status = "job-lost", "The job belongs to another worker", 503


class JobTimeout(Problem):
    """The job ran longer than its task allows."""

    code, title, status = "job-timeout", "The job took too long", 504


class WorkerLost(Problem):
    """The process that ran the job died or was cut off, again and again and over nothing else; it is given up."""

    code, title, status = "worker-lost", "The worker was lost", 500


class TaskUnknown(Problem):
    """The job names a task that this release does not have."""

    code, title, status = "task-unknown", "The task is not known", 501
