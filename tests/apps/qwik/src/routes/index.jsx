export default () => <p>qwik answers</p>;
